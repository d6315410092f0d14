"""The table of decoders: intervals, tests, search errors, the front, and its form in the terminal and in files."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from s2s_lab.faults import RequestError
from s2s_lab.metrics.distinct_n import DistinctN
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.length_ratio import LengthRatio
from s2s_lab.metrics.perplexity import Perplexity
from s2s_lab.metrics.search_errors import MARGIN
from s2s_lab.metrics.significance import holm, paired_bootstrap
from s2s_lab.records.evaluation import write_evaluation
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.decoders import DecoderTable, decoder_table, decoder_tables
from s2s_lab.reports.decoders_file import check_table_file, print_decoders, write_decoders
from s2s_lab.reports.runs import collect
from s2s_lab.reports.telling_apart import TEST_SEED
from tests.reports.synthetic import HOSTILE, Sentences, sentences, write_run

COUNT = 40
RIGHT = {"greedy": 10, "beam": 30, "wide": 29, "sampling": 3}
SPEED = {"greedy": 900.0, "beam": 200.0, "wide": 100.0, "sampling": 900.0}


@pytest.fixture
def made() -> Sentences:
    return sentences(COUNT)


def record(
    run: RunFolder,
    made: Sentences,
    strategy: str,
    *,
    found: np.ndarray,
    known: np.ndarray | None = None,
    references: np.ndarray | None = None,
    older: bool = False,
    **facts: Any,
) -> Path:
    """Write an evaluation with as many right outputs as RIGHT says."""
    right = RIGHT.get(strategy, 5)
    outputs = [accepted[0] if place < right else "falsch" for place, accepted in enumerate(made.references)]
    scores = [ExactMatch().score(outputs, made.references), LengthRatio().score(outputs, made.references)]
    scores += [DistinctN(order=1).score(outputs)]
    if references is not None:
        scores += [Perplexity(vocabulary="v").score(references, np.ones(COUNT))]
    known = found if known is None else known
    listed = [{} if older else {"best_log_prob": None if np.isinf(value) else value} for value in known]
    folder = run.evaluation("test", strategy, f"{strategy}{len(facts)}")
    return write_evaluation(
        folder,
        facts={
            "split": "test", "strategy": strategy, "signature": f"{strategy}|max:9", "precision": "float32",
            "data_fingerprint": "d", "warnings": [], "sentences_per_second": SPEED.get(strategy, 50.0),
            "tokens_per_second": 1000.0, **facts,
            "scores": [{"name": s.name, "value": s.value, "signature": s.signature,
                        "higher_is_better": s.higher_is_better} for s in scores],
        },
        sources=made.sources,
        references=made.references,
        hypotheses=outputs,
        nbest=[[{"text": text, "log_prob": value, "finished": not np.isinf(value)}]
               for text, value in zip(outputs, known, strict=True)],
        segments=[
            {
                "index": place, "source_length": 3, "reference_length": 3, "hypothesis_length": 3,
                "log_prob": found[place], **listed[place],
                "statistics": {score.name: score.statistics[place].tolist() for score in scores},
            }
            for place in range(COUNT)
        ],
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, made: Sentences) -> Callable[..., RunFolder]:
    def write(seed: int = 1, model: str = "gru", monitor: str = "exact_match") -> RunFolder:
        settings = {"metrics": {"monitor": monitor}}
        return write_run(tmp_path / "runs", model, seed, made=made, strategies=(), settings=settings)

    return write


@pytest.fixture
def grid(run: Callable[..., RunFolder], made: Sentences) -> RunFolder:
    """One run with four strategies; each finds outputs a little more probable than the one before."""
    folder = run()
    for place, strategy in enumerate(RIGHT):
        record(folder, made, strategy, found=np.full(COUNT, -9.0 + place), references=np.full(COUNT, -20.0))
    return folder


def rows(table: DecoderTable) -> dict[str, Any]:
    return {row.strategy: row for row in table.rows}


def test_rows_are_ranked_tested_against_the_best_and_have_paired_intervals(grid: RunFolder) -> None:
    table = decoder_table([grid], "test")
    assert table.quality is not None and table.quality.name == "exact_match" and table.sentences == COUNT
    assert [row.strategy for row in table.rows] == ["beam", "wide", "greedy", "sampling"]
    right = {name: np.stack([np.arange(COUNT) < number, np.ones(COUNT)], axis=1) for name, number in RIGHT.items()}
    tests = {
        name: paired_bootstrap(ExactMatch(), [right[name]], [right["beam"]], samples=1000, seed=TEST_SEED).p_value
        for name in ("wide", "greedy", "sampling")
    }
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    for name, row in rows(table).items():
        interval = row.scores["exact_match"]
        assert interval.mean == RIGHT[name] / COUNT and interval.low <= interval.mean <= interval.high
        deviation = np.sqrt(interval.mean * (1 - interval.mean) / COUNT)
        assert interval.high - interval.low == pytest.approx(2 * 1.96 * deviation, rel=0.25)
        assert row.best == (name == "beam") and row.p_value == (None if row.best else corrected[name])
    assert not rows(table)["wide"].worse and rows(table)["greedy"].worse


def test_the_front_is_what_nothing_beats_in_quality_and_speed(grid: RunFolder) -> None:
    found = rows(decoder_table([grid], "test"))
    assert {name for name, row in found.items() if row.on_front} == {"beam", "greedy"}  # wide and sampling are beaten


def test_runs_are_named_by_their_rows_and_told_apart(tmp_path: Path, made: Sentences) -> None:
    for cell, seeds in (("gru", (1,)), ("lstm", (1, 2))):
        for seed in seeds:
            settings = {"cell": {"_target_": f"s2s_lab.models.cells.{cell}.{cell.upper()}Cell"}}
            write_run(tmp_path, "mine", seed, made=made, settings=settings)
    comparison = compare(collect([tmp_path]), samples=20)
    of_folder = {run.folder.path: row.label for row in comparison.rows for run in row.runs}
    table = decoder_tables(comparison)["test"]
    assert len({row.run for row in table.rows}) == len(of_folder) == 3
    for row in table.rows:
        label = of_folder[row.folder.parents[2]]
        assert row.run.startswith(label) and "cell=" in label
        assert (row.run != label) == ("LSTM" in label), "a seed is named where a row has several"


def test_search_errors_are_against_the_best_output_known_of_the_same_model(
    run: Callable[..., RunFolder], made: Sentences
) -> None:
    folder, other = run(), run(2)
    low, high = np.full(COUNT, -9.0), np.full(COUNT, -9.0)
    high[:8] += 1.0
    high[8:12] += MARGIN / 2
    references = np.full(COUNT, -99.0)
    references[-2:] = -1.0
    record(folder, made, "greedy", found=low, references=references)
    record(folder, made, "beam", found=low, known=high)
    record(folder, made, "wide", found=low, known=high, older=True)
    record(
        folder, made, "sampling", found=low + 5.0, known=np.full(COUNT, -np.inf)
    )  # cut at the limit: no output known
    record(folder, made, "eighth", found=low - 50.0, precision="int8")
    record(folder, made, "listed", found=low, shortlist={"share": 0.5})
    record(other, made, "greedy", found=low + 8.0)
    found = {(row.run, row.strategy): row.search_errors for row in decoder_table([folder, other], "test").rows}
    expected = {"greedy": 10 / COUNT, "beam": 10 / COUNT, "wide": 10 / COUNT, "sampling": 2 / COUNT}
    expected |= {"eighth": 0.0, "listed": None}
    assert {strategy: share for (name, strategy), share in found.items() if name == "gru seed 1"} == expected
    assert found["gru seed 2", "greedy"] == 0.0
    (only,) = decoder_table([folder], "test", only={next(folder.path.glob("evaluation/test/greedy-*")): "mine"}).rows
    assert (only.strategy, only.search_errors) == ("mine", expected["greedy"])


def test_scores_measured_in_two_ways_are_left_out_and_other_data_refused(
    run: Callable[..., RunFolder], made: Sentences
) -> None:
    folder, other = run(), run(1, "lstm", monitor="bleu")
    flat = np.full(COUNT, -1.0)
    record(folder, made, "greedy", found=flat)
    record(folder, made, "beam", found=flat)
    place = next(folder.path.glob("evaluation/test/beam-*")) / "scores.json"
    place.write_text(place.read_text().replace("exact_match|nrefs:1|case:mixed", "exact_match|nrefs:1|case:lc"))
    table = decoder_table([folder], "test")
    assert table.quality is None and table.notes == ("exact_match is left out: it was measured in different ways",)
    assert not any(row.best or row.on_front or row.p_value for row in table.rows)
    record(other, made, "greedy", found=flat, data_fingerprint="e")
    with pytest.raises(RequestError, match="scored on different data"):
        decoder_table([folder, other], "test")
    assert decoder_table([folder], "validation").rows == ()


def test_proved_outputs_are_counted_where_the_strategy_says(grid: RunFolder) -> None:
    place = next(grid.path.glob("evaluation/test/beam-*")) / "segments.jsonl"
    lines = [json.loads(line) for line in place.read_text().splitlines()]
    told = [json.dumps({**line, "optimal": index < 10}) for index, line in enumerate(lines)]
    place.write_text("\n".join(told) + "\n")
    found = rows(decoder_table([grid], "test"))
    assert {name: row.proved for name, row in found.items() if row.proved is not None} == {"beam": 10 / COUNT}


def shown(table: DecoderTable, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_decoders(table, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_narrow_terminal_gets_fewer_columns_and_a_wide_one_all(grid: RunFolder) -> None:
    table = decoder_table([grid], "test")
    narrow, wide = shown(table, 80), shown(table, 200)
    assert all(len(line) <= 80 for line in narrow)
    for heading in ("decoding", "Exact match", "front", "sent/s", "err %"):
        assert any(heading in line for line in narrow), heading
    assert any("left out for want of room" in line for line in shown(table, 60))
    assert any("dist-1" in line and "length" in line and "tok/s" in line for line in wide)
    assert not any("left out" in line for line in wide)
    for name in RIGHT:
        assert any(line.strip().startswith(name) for line in narrow)


def test_outputs_that_were_handed_in_are_no_rivals_of_those_that_were_found(grid: RunFolder, made: Sentences) -> None:
    before = decoder_table([grid], "test")
    record(grid, made, "forced", found=np.zeros(COUNT), references=np.full(COUNT, -20.0), given_outputs=True)
    after = decoder_table([grid], "test")
    assert [row.strategy for row in after.rows] == [row.strategy for row in before.rows]
    assert [(row.best, row.p_value) for row in after.rows] == [(row.best, row.p_value) for row in before.rows]
    assert before.notes == () and len(after.notes) == 1 and "handed in" in after.notes[0]


def test_labels_longer_than_a_narrow_terminal_are_folded(grid: RunFolder) -> None:
    folders = sorted(grid.path.glob("evaluation/test/*"))
    labels = {folder.resolve(): f"a label of many words for {folder.name} " * 3 for folder in folders}
    lines = shown(decoder_table([grid], "test", only=labels), 80)
    assert all(len(line) <= 80 for line in lines) and any("Exact match" in line for line in lines)


def test_the_table_is_written_whole(grid: RunFolder, tmp_path: Path) -> None:
    table = decoder_table([grid], "test")
    for ending in ("md", "csv", "json"):
        check_table_file(str(tmp_path / f"t.{ending}"))
        write_decoders([table], str(tmp_path / f"t.{ending}"))
    (read,) = json.loads((tmp_path / "t.json").read_text())["tables"]
    assert read["rows"] == json.loads(json.dumps(table.plain_rows())) and read["ranked_by"] == "exact_match"
    cells = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [row["strategy"] for row in cells] == [row.strategy for row in table.rows]
    assert [float(row["exact_match"]) for row in cells] == [row.scores["exact_match"].mean for row in table.rows]
    lines = [line for line in (tmp_path / "t.md").read_text().splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(RIGHT) and len({line.count("|") for line in lines}) == 1
    with pytest.raises(RequestError, match=r"table=t.xls: a file that ends in"):
        check_table_file("t.xls")


def test_names_stay_text_in_markdown(grid: RunFolder, tmp_path: Path) -> None:
    folders = sorted(grid.path.glob("evaluation/test/*"))
    labels = {folder.resolve(): f"{HOSTILE} *a* _b_ `c` | [d](e) {place}" for place, folder in enumerate(folders)}
    write_decoders([decoder_table([grid], "test", only=labels)], str(tmp_path / "t.md"))
    written = (tmp_path / "t.md").read_text()
    shown = MarkdownIt().enable("table").render(written)
    assert written.count("| &lt;/script&gt;") == len(folders) and "<img" not in shown and "<script" not in shown
    assert not any(f"<{tag}" in shown for tag in ("em", "code", "a ", "b>")) and shown.count("<tr>") == len(folders) + 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [('"log_prob": -8.0', '"log_prob": "x"', "log_prob is 'x', expected a number"),
     ('"exact_match"', '"other"', "statistics of exact_match are not whole")],
)  # fmt: skip
def test_a_damaged_record_is_named(grid: RunFolder, old: str, new: str, expected: str) -> None:
    place = next(grid.path.glob("evaluation/test/beam-*")) / "segments.jsonl"
    first, *rest = place.read_text().splitlines()
    place.write_text("\n".join([first, rest[0].replace(old, new), *rest[1:]]) + "\n")
    with pytest.raises(RequestError, match=expected) as caught:
        decoder_table([grid], "test")
    assert str(place) in str(caught.value)
