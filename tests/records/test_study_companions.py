"""Evaluations of a study that name rows: who gets them, what they are made of, and what is refused."""

from pathlib import Path

import pytest

from s2s_lab.records.study_companions import rows_named, with_rows
from s2s_lab.records.study_file import Study
from tests.records.test_study_file import read, refusal

GOOD = """
title: The paper
seeds: [1, 2]
base: {experiment: scan}
evaluations:
  greedy: {split: test, decoding: greedy}
  both: {split: test, decoding: greedy, together: [other, wide]}
  fused: {decoding: beam, language_model: lm, language_model_weight: 0.3}
  judged: {decoding: beam, rerank: [{run: "grid[cell=gru]", kind: same, weight: 0.5}]}
rows:
  best: {set: {model: gru}, evaluations: [judged, both, greedy]}
  other: {set: {model: lstm}, seeds: [1, 2, 3]}
  wide: {set: {model: lstm}, grid: {encoder.hidden_size: [600]}}
  lm: {set: {model: lm}}
  grid: {grid: {cell: [gru, lstm]}, evaluations: [fused]}
claims:
  value: {kind: value, row: best, evaluation: both, score: bleu, published: 99.7, tolerance: 0.5}
"""


def definitions(study: Study) -> dict[str, str]:
    return {name: study.evaluation_definition(name) for name in study.evaluations}


def test_only_rows_that_list_them_get_them(tmp_path: Path) -> None:
    study = read(tmp_path, GOOD)
    given = {row.name: row.evaluations for row in study.rows}
    assert given == {
        "best": ("greedy", "both", "judged"),
        "other": ("greedy",),
        "wide[hidden_size=600]": ("greedy",),
        "lm": ("greedy",),
        "grid[cell=gru]": ("fused",),
        "grid[cell=lstm]": ("fused",),
    }
    assert study.evaluations["both"]["together"] == ["other", "wide[hidden_size=600]"]
    assert [row.name for row in study.named_by("both")] == ["other", "wide[hidden_size=600]"]
    assert [row.name for row in study.named_by("judged")] == ["grid[cell=gru]"] and study.named_by("greedy") == []


def test_a_row_that_is_named_is_part_of_what_an_evaluation_is_and_its_name_is_not(tmp_path: Path) -> None:
    before = definitions(read(tmp_path, GOOD))
    assert (
        definitions(read(tmp_path, GOOD.replace("together: [other", "together: [new").replace(" other:", " new:")))
        == before
    )
    changes = {
        ("other: {set: {model: lstm}", "other: {set: {model: gru}"): {"both"},
        ("{model: lm}", "{model: lm, optimizer.lr: 0.1}"): {"fused"},
        ("cell: [gru,", "cell: [rnn,"): {"judged"},
        ("together: [other, wide]", "together: [wide, other]"): {"both"},
        ("weight: 0.3", "weight: 0.4"): {"fused"},
        ("best: {set: {model: gru}", "best: {set: {model: rnn}"): set(),
        ("base: {", "base: {trainer.max_steps: 7, "): {"both", "fused", "judged"},
        ("rows:\n", "budget: {minutes_per_job: 5}\nrows:\n"): {"both", "fused", "judged"},
    }
    for (old, new), changed in changes.items():
        assert old in GOOD
        text = GOOD.replace(old, new, 1)
        text = text.replace('"grid[cell=gru]"', '"grid[cell=rnn]"') if "rnn," in new else text
        after = definitions(read(tmp_path, text))
        assert {name for name in before if after[name] != before[name]} == changed, new


def test_something_else_takes_the_place_of_every_row() -> None:
    words = {"decoding": "beam", "together": ["a", "b"], "language_model": "c",
             "rerank": [{"run": "a", "kind": "same", "weight": 1}]}  # fmt: skip
    assert rows_named(words) == ("a", "b", "c")
    assert with_rows(words, str.upper) == {
        "decoding": "beam", "together": ["A", "B"], "language_model": "C",
        "rerank": [{"run": "A", "kind": "same", "weight": 1}],
    }  # fmt: skip
    assert rows_named({"together": [], "language_model": None, "rerank": []}) == ()


FAULTS = [
    ("together: [other, wide]", "together: other", "evaluations.both: together is 'other', expected a list"),
    ("together: [other, wide]", "together: [3]", "evaluations.both: together[0] is 3, expected text"),
    ("together: [other, wide]", "together.0: other", "both.together.0: write together as a whole"),
    ("language_model: lm", "language_model: [lm]", "evaluations.fused: language_model is ['lm'], expected text"),
    ('{run: "grid[cell=gru]", kind', "{kind", "evaluations.judged: rerank[0]: run is missing"),
    ("together: [other, wide]", "together: [othre]", "both: othre is not a row or block of this study; did"),
    ("language_model: lm", "language_model: outputs/lm", "fused: outputs/lm is not a row or block"),
    ('"grid[cell=gru]"', "grid", "judged: grid is a block with 2 rows, expected one of them: grid[cell=gru], "),
    ("[judged, both, greedy]", "[both, greedy]", "evaluations.judged names the row grid[cell=gru], so that it belongs"),
    ("together: [other, wide]", "together: [best]", "both: the row best gets it and is named in it"),
    ("seeds: [1, 2, 3]", "seeds: [2]", "both: the row other has no seed 1, expected all those of best"),
    ("  greedy: {split: test, decoding: greedy}\n", "", "rows.other.evaluations is missing, and all evaluations name"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "message"), FAULTS, ids=[message[:40] for _, _, message in FAULTS])
def test_every_fault_is_one_line_that_names_file_and_place(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    assert before in GOOD
    text = GOOD.replace(before, after, 1)
    text = text.replace(", greedy]", "]") if not after else text
    assert message in refusal(tmp_path, text)
