"""A search error is an output less probable than another one known; shares are counted in ranges of length."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from s2s_lab.metrics.perplexity import perplexity
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.entries import SplitComparison
from s2s_lab.reports.runs import collect
from s2s_lab.reports.search_errors import search_errors, wilson_interval
from tests.reports.synthetic import evaluate, sentences, write_run

MADE = sentences(30, hostile=False)
RNG = np.random.default_rng(5)
GREEDY, BEAM = (RNG.normal(-8, 2, size=30).round(1).tolist() for _ in range(2))


def record(run: RunFolder, strategy: str, log_probs: list[float], **facts: Any) -> Path:
    return evaluate(run, strategy, MADE, 0.7, 1, log_probs=log_probs, facts=facts)


def split_of(root: Path) -> SplitComparison:
    (split,) = compare(collect([root]), samples=10).splits
    return split


def shares(root: Path) -> dict[str, list[int]]:
    """Give the number of errors of each strategy in each range, read back from the shares."""
    split = split_of(root)
    found = search_errors(split)
    if found is None:
        return {}
    counts = found["counts"]
    return {
        entry.strategy: [round(share * count / 100) for share, count in zip(series["share"], counts, strict=True)]
        for entry, series in zip(split.entries, found["series"], strict=True)
        if series is not None
    }


def total(counts: list[int]) -> int:
    return sum(counts)


def test_errors_are_those_below_the_best_known_in_their_range(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    record(run, "greedy", GREEDY)
    record(run, "beam", BEAM)
    split = split_of(tmp_path)
    found = search_errors(split)
    assert found is not None and not found["reference"]
    assert sum(found["counts"]) == 30 and len(found["labels"]) > 1
    lengths = [len(source.split()) for source in MADE.sources]
    for entry, series in zip(split.entries, found["series"], strict=True):
        own, other = (GREEDY, BEAM) if entry.strategy == "greedy" else (BEAM, GREEDY)
        for place, label in enumerate(found["labels"]):
            ends = [int(end) for end in label.split("\u2013")]
            inside = [index for index, length in enumerate(lengths) if ends[0] <= length <= ends[-1]]
            errors = sum(other[index] > own[index] + 0.01 for index in inside)
            assert found["counts"][place] == len(inside)
            assert series["share"][place] == pytest.approx(100 * errors / len(inside))
            assert 0 <= series["low"][place] <= series["share"][place] <= series["high"][place] <= 100
        assert series["overall"] == pytest.approx(100 * np.mean(np.array(other) > np.array(own) + 0.01))


def test_one_strategy_alone_tells_nothing(tmp_path: Path) -> None:
    for seed in (1, 2):
        record(write_run(tmp_path, "gru", seed, made=MADE, strategies=()), "greedy", GREEDY)
    assert search_errors(split_of(tmp_path)) is None, "runs of different seeds are different models"


def test_the_whole_list_counts_and_unfinished_outputs_are_known_to_nobody(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    record(run, "greedy", [-5.0] * 30)
    folder = record(run, "beam", [-5.0] * 30)
    assert {name: total(counts) for name, counts in shares(tmp_path).items()} == {"greedy": 0, "beam": 0}
    lines = [json.loads(line) for line in (folder / "nbest.jsonl").read_text(encoding="utf-8").splitlines()]
    for index, line in enumerate(lines):
        line["hypotheses"].append(
            {"text": "x", "tokens": ["x"], "log_prob": -1.0, "score": -9.0, "finished": index < 7}
        )
    (folder / "nbest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert {name: total(counts) for name, counts in shares(tmp_path).items()} == {"greedy": 7, "beam": 7}


def test_references_are_known_where_their_probability_is(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    known = perplexity([-4.0] * 10 + [-6.0] * 20, [5] * 30, vocabulary="v")
    for strategy in ("greedy", "beam"):
        folder = record(run, strategy, [-5.0] * 30)
        facts = json.loads((folder / "scores.json").read_text())
        told = {"name": known.name, "value": known.value, "signature": known.signature, "higher_is_better": False}
        facts["scores"].append(told)
        (folder / "scores.json").write_text(json.dumps(facts))
        lines = [json.loads(line) for line in (folder / "segments.jsonl").read_text().splitlines()]
        for line, statistics in zip(lines, known.statistics.tolist(), strict=True):
            line["statistics"][known.name] = statistics
        (folder / "segments.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = search_errors(split_of(tmp_path))
    assert found is not None and found["reference"]
    assert {name: total(counts) for name, counts in shares(tmp_path).items()} == {"greedy": 10, "beam": 10}


def test_other_arithmetic_and_other_models_are_not_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    record(run, "greedy", [-5.0] * 30)
    record(run, "beam", [-1.0] * 30, precision="int8")
    record(run, "beam", [-0.5] * 30, signature="beam|size:5|language_model:0.2,abc")
    record(run, "beam", [-0.2] * 30, signature="beam|size:5|together:probabilities,0.1,0.9,abc,def")
    record(run, "beam", [-0.1] * 30, signature="beam|size:5|together:probabilities,0.9,0.1,abc,def")
    assert search_errors(split_of(tmp_path)) is None
    record(run, "sampling", [-9.0] * 30)
    assert {name: total(counts) for name, counts in shares(tmp_path).items()} == {"greedy": 0, "sampling": 30}


def test_seeds_are_averaged(tmp_path: Path) -> None:
    for seed, better in ((1, -1.0), (2, -9.0)):
        run = write_run(tmp_path, "gru", seed, made=MADE, strategies=())
        record(run, "greedy", [-5.0] * 30)
        record(run, "beam", [better] * 30)
    split = split_of(tmp_path)
    found = search_errors(split)
    assert found is not None
    assert all(series["share"] == [50.0] * len(found["labels"]) for series in found["series"])


@pytest.mark.parametrize(("errors", "count"), [(0, 1), (0, 40), (3, 10), (40, 40), (500, 1000)])
def test_the_interval_is_wilsons(errors: int, count: int) -> None:
    expected = binomtest(errors, count).proportion_ci(method="wilson")
    low, high = wilson_interval(errors / count, count)
    assert (low, high) == (pytest.approx(expected.low, abs=1e-6), pytest.approx(expected.high, abs=1e-6))
