"""A study file: what it says is read, and each fault is one line that names the place and the nearest known key."""

from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.study_claims import needed_by
from s2s_lab.records.study_file import Study, read_study

GOOD = """
title: The paper
citation: A. Nother, 2018
seeds: [1, 2]
base: {experiment: scan, trainer.max_steps: 100, encoder.dropout: 0.0}
evaluations:
  greedy: {split: test, decoding: greedy}
  beam: {split: test, decoding: beam}
budget: {minutes_per_job: 6, cores: 2, note: short}
rows:
  best:
    title: The best one
    set: {model: lstm, encoder.dropout: 0.5}
  grid:
    grid: {cell: [gru, lstm], encoder.num_layers: [1, 2]}
    paired: [{encoder.hidden_size: 50, decoder.hidden_size: 50}, {encoder.hidden_size: 9, decoder.hidden_size: 9}]
    without: [{cell: gru, encoder.num_layers: 2}]
    seeds: [7]
    evaluations: [beam]
    priority: 1
  later: {set: {model: transformer}, needs: the option model=transformer}
claims:
  value: {kind: value, row: best, score: bleu, published: 99.7, tolerance: 0.5}
  least: {kind: value, row: grid, score: bleu, evaluation: beam, published: 1, side: at_least}
  order: {kind: order, better: {row: best}, worse: {row: grid, evaluation: beam}, score: bleu}
  trend: {kind: trend, rows: [best, later], direction: rises, score: bleu}
  bound: {kind: bound, row: best, score: search_errors, limit: 5, side: at_most}
  harmless: {kind: not_worse, row: best, than: {row: later}, margin: 1.5, score: bleu, evaluation: beam}
"""


def read(folder: Path, text: str) -> Study:
    place = folder / "paper"
    place.mkdir(exist_ok=True)
    (place / "study.yaml").write_text(text, encoding="utf-8")
    return read_study(place)


def refusal(folder: Path, text: str) -> str:
    """The one line, beginning with the file, that a study is refused with."""
    with pytest.raises(RequestError) as told:
        read(folder, text)
    line = str(told.value)
    assert "\n" not in line and line.startswith(str(folder / "paper" / "study.yaml"))
    return line


def test_all_of_it_is_read(tmp_path: Path) -> None:
    study = read(tmp_path, GOOD)
    assert (study.name, study.experiment, study.title) == ("paper", "studies/paper", "The paper")
    assert [row.name for row in study.rows] == [
        "best",
        *(f"grid[cell={cell},num_layers={layers},hidden_size={size}]"
          for cell, layers in (("gru", 1), ("lstm", 1), ("lstm", 2)) for size in (50, 9)),
        "later",
    ]  # fmt: skip
    best, other, later = study.rows[0], study.rows[1], study.rows[-1]
    assert study.words(best, 2) == {
        "experiment": "scan", "trainer.max_steps": 100, "encoder.dropout": 0.5, "model": "lstm",
        "trainer.max_minutes": 6, "seed": 2,
    }  # fmt: skip
    assert (other.seeds, other.evaluations, other.priority) == ((7,), ("beam",), 1)
    assert (best.seeds, best.evaluations, best.priority, best.needs) == ((1, 2), ("greedy", "beam"), 10, None)
    assert later.needs == "the option model=transformer"
    assert study.rows_of("grid") == list(study.rows[1:7]) and study.rows_of("best") == [best]


def test_claims_are_complete(tmp_path: Path) -> None:
    claims = read(tmp_path, GOOD).claims
    assert claims["value"] | {"side": "equal", "evaluation": "greedy"} == claims["value"]
    assert claims["least"]["tolerance"] == 0.0
    assert [(needed.row, needed.evaluation) for needed in needed_by(claims["order"])] == [
        ("best", "greedy"),
        ("grid", "beam"),
    ]
    assert [needed.row for needed in needed_by(claims["trend"])] == ["best", "later"]
    assert [(needed.row, needed.evaluation) for needed in needed_by(claims["bound"])] == [("best", "greedy")]
    assert [(needed.row, needed.evaluation) for needed in needed_by(claims["harmless"])] == [
        ("best", "beam"),
        ("later", "beam"),
    ]
    along = read(tmp_path, GOOD.replace("rows: [best, later]", "row: best, evaluations: [greedy, beam]"))
    needed = needed_by(along.claims["trend"])
    assert [(each.row, each.evaluation) for each in needed] == [("best", "greedy"), ("best", "beam")]


def test_a_definition_is_that_of_words_and_seed_alone(tmp_path: Path) -> None:
    study = read(tmp_path, GOOD)
    renamed = read(
        tmp_path, GOOD.replace("  best:", "  other:").replace("row: best", "row: other").replace("[best", "[other")
    )
    assert study.definition(study.rows[0], 1) == renamed.definition(renamed.rows[0], 1)
    definitions = [study.definition(row, seed) for row in study.rows for seed in row.seeds]
    assert len(set(definitions)) == len(definitions)
    longer = read(tmp_path, GOOD.replace("minutes_per_job: 6", "minutes_per_job: 7"))
    assert longer.definition(longer.rows[0], 1) != study.definition(study.rows[0], 1)


FAULTS = [
    ("title: The paper\n", "", "title is missing"),
    ("title:", "titel:", "titel is not a key of a study; did you mean title?"),
    ("seeds: [1, 2]", "seeds: [1, 1]", "seeds is [1, 1], expected different numbers"),
    ("seeds: [1, 2]", "seeds: [-1]", "-1 is no seed"),
    ("seeds: [1, 2]", "seeds: [true]", "expected a whole number"),
    ("seeds: [1, 2]", "seeds: 3", "seeds is 3, expected a list"),
    ("note: short", "notes: short", "budget.notes is not a key of a budget; did you mean note?"),
    ("minutes_per_job: 6", "minutes_per_job: 0", "budget.minutes_per_job is 0, expected a number above 0"),
    ("set: {model: lstm,", "set: {trainer.max_minutes: 2, model: lstm,", "rows.best: trainer.max_minutes is what"),
    ("layers: [1, 2]}", "layers: [1, 2], trainer.max_minutes: [1, 5]}", ": trainer.max_minutes is what budget."),
    ("experiment: scan", "seed: 3", "base.seed is the study's own to set"),
    ("experiment: scan", "paths.outputs: x", "base.paths.outputs is the study's own to set"),
    ("experiment: scan", "optimizer.lr: 1e-3", "optimizer.lr is 1e-3, which is text to YAML; write 0.001"),
    ("experiment: scan", "encoder.dropout: .inf", "stands here twice"),
    ("experiment: scan", "'a b': 1", "'a b' is no key or group"),
    ("experiment: scan", "optimizer.lr: .nan", "expected a finite number"),
    ("greedy: {split: test", "greedy: {runs: x", "evaluations.greedy.runs is the study's own to set"),
    ("  greedy: {", "  Greedy: {", "evaluations.Greedy: a name has letters a-z"),
    ("    grid: {cell", "    gird: {cell", "rows.grid.gird is not a key of a block; did you mean grid?"),
    ("  best:\n", "  Best:\n", "rows.Best: a block's name has letters a-z"),
    ("  best:\n", "  grid:\n", "line 14: grid stands here twice"),
    ("experiment: scan", "attention: dot", "rows.best chooses a model, whose attention base would replace; choose"),
    ("cell: [gru, lstm]", "cell: []", "rows.grid.grid.cell is empty"),
    ("cell: [gru, lstm]", "cell: gru", "expected a list"),
    ("cell: [gru, lstm]", "cell: [gru, gru]", "two rows would be called grid[cell=gru"),
    ("encoder.hidden_size: 9, decoder.hidden_size: 9", "encoder.hidden_size: 9", "paired[1] says encoder.hidden_size,"),
    ("{encoder.hidden_size: 9, decoder.hidden_size: 9}", "{cell: gru}", "paired[1].cell: the block says it twice"),
    ("without: [{cell: gru", "without: [{cel: gru", "cel is not a key of grid or paired; did you mean cell?"),
    ("without: [{cell: gru", "without: [{cell: rnn", "without[0] excludes nothing: cell: rnn"),
    ("without: [{cell: gru, encoder.num_layers: 2}]", "without: [{}]", "without[0] is empty"),
    ("evaluations: [beam]", "evaluations: [bema]", "bema is not an evaluation of this study; did you mean beam?"),
    ("evaluations: [beam]", "evaluations: []", "expected different names, at least one"),
    ("priority: 1", "priority: high", "expected a whole number"),
    ("needs: the", "need: the", "rows.later.need is not a key of a block; did you mean needs?"),
    ("kind: value, row: best", "kind: valu, row: best", "claims.value.kind: 'valu' is not a kind of claim; did"),
    ("row: best, score: bleu, pub", "row: bset, score: bleu, pub", "bset is not a row or block of this study; did"),
    ("published: 99.7, tolerance: 0.5", "published: 99.7", "claims.value.tolerance is None, expected a number above 0"),
    ("published: 99.7", "published: many", "published is 'many', expected a whole number or a number"),
    ("tolerance: 0.5", "tolerence: 0.5", "claims.value.tolerence is not a key of a claim of the kind value"),
    ("side: at_least", "side: atleast", "did you mean at_least?"),
    ("direction: rises", "direction: up", "claims.trend.direction: up is not a direction"),
    ("rows: [best, later]", "rows: [best]", "claims.trend.rows: at least 2 different rows"),
    ("rows: [best, later]", "row: best", "claims.trend: either rows, or row and evaluations, are expected"),
    ("rows: [best, later]", "rows: [best, later], row: best, evaluations: [greedy, beam]",
     "claims.trend: either rows, or row and evaluations, are expected"),
    ("rows: [best, later]", "row: best, evaluations: [beam, beam]", "claims.trend.evaluations: at least 2 different"),
    ("rows: [best, later]", "row: best, evaluations: [beam, bean]", "claims.trend: bean is not an evaluation"),
    ("direction: rises", "direction: peaks", "claims.trend.rows: at least 3 different rows"),
    ("limit: 5, side: at_most", "limit: 5, side: equal", "claims.bound.side: equal is not a side"),
    ("limit: 5, side: at_most", "side: at_most", "claims.bound: limit is missing"),
    ("limit: 5", "limit: .inf", "claims.bound.limit is inf, expected a finite number"),
    ("margin: 1.5", "margin: 0", "claims.harmless.margin is 0, expected a number above 0"),
    ("margin: 1.5", "published: 1", "claims.harmless: margin is missing"),
    ("than: {row: later}", "than: {row: best}", "claims.harmless: row and than are the same, best"),
    ("than: {row: later}", "than: {row: latter}", "claims.harmless: latter is not a row or block of this study; did"),
    ("worse: {row: grid, evaluation: beam}", "worse: {row: best}", "better and worse are the same, best"),
    ("better: {row: best}, worse: {row: grid, evaluation: beam}",
     'evaluation: beam, better: {row: grid}, worse: {row: "grid[cell=gru,num_layers=1,hidden_size=9]"}',
     "better and worse have trainings in common: grid[cell=gru,num_layers=1,hidden_size=9] is a row of grid"),
    ("better: {row: best}, worse: {row: grid, evaluation: beam}",
     'better: {row: grid, evaluation: beam}, worse: {row: "grid[cell=gru,num_layers=1,hidden_size=9]"}',
     "better and worse have trainings in common"),
    ("worse: {row: grid, evaluation: beam}", "worse: {row: grid}", "does not get the evaluation greedy"),
    ("worse: {row: grid, evaluation: beam}", "worse: {rows: grid}", "did you mean row?"),
    ("bleu, evaluation: beam", "bleu, evaluation: bean", "bean is not an evaluation"),
    ("  value: {kind", "  Value: {kind", "claims.Value: a claim's name has letters a-z"),
    ("base: {", "base: [", "not valid YAML"),
    ("title: The paper", "- a list", "not valid YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "message"), FAULTS, ids=[message[:40] for _, _, message in FAULTS])
def test_every_fault_is_one_line_that_names_file_and_place(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    assert before in GOOD
    assert message in refusal(tmp_path, GOOD.replace(before, after, 1))


def test_a_key_twice_in_one_mapping_is_refused_and_a_merged_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"study\.yaml, line 2: title stands here twice"):
        read(tmp_path, f"title: a\n{GOOD.strip()}")
    shared = GOOD.replace("  best:\n", "  best: &best\n").replace("  later: {", "  later: {<<: *best, ")
    assert read(tmp_path, shared).rows[-1].title == "The best one"


@pytest.mark.parametrize("name", ["a b", "ü", ".hidden"])
def test_the_folder_is_a_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "study.yaml").write_text(GOOD)
    with pytest.raises(RequestError, match="its folder is the study's name"):
        read_study(tmp_path / name)
