"""Lines against the beam size join evaluations that differ in nothing else, and are there where sizes are enough."""

from pathlib import Path
from typing import Any

import pytest

from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.beam_curves import beam_curves, normalisation
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.entries import SplitComparison
from s2s_lab.reports.runs import collect
from tests.reports.synthetic import evaluate, sentences, write_run

MADE = sentences(6, hostile=False)
AVERAGE = {"_target_": "s2s_lab.decoding.length_penalty.Average"}
NONE = {"_target_": "s2s_lab.decoding.length_penalty.NoPenalty"}


def record(run: RunFolder, size: int, penalty: dict[str, Any] = AVERAGE, quality: float = 0.8, **facts: Any) -> None:
    options = {"size": size, "length_penalty": penalty, **facts.pop("options", {})}
    evaluate(run, "beam", MADE, quality, 1, options=options, facts=facts)


def split_of(root: Path) -> SplitComparison:
    (split,) = compare(collect([root]), samples=10).splits
    return split


def lines(split: SplitComparison) -> dict[str, list[int]]:
    rows = list(dict.fromkeys(entry.row.key for entry in split.entries))
    found = beam_curves(split, {key: place for place, key in enumerate(rows)})
    for line in found:
        for point in line["points"]:
            assert split.entries[point["entry"]].evaluations[0].facts["configuration"]["size"] == point["size"]
    made = {line["label"]: [point["size"] for point in line["points"]] for line in found}
    assert len(made) == len(found), "labels tell lines apart"
    return made


def test_a_normalisation_is_a_line_with_its_sizes_in_order(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    for size in (10, 1, 3):
        record(run, size)
        record(run, size, NONE)
    assert lines(split_of(tmp_path)) == {"normalisation average": [1, 3, 10], "normalisation none": [1, 3, 10]}


def test_two_sizes_are_too_few(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=("greedy",))
    for size in (1, 5):
        record(run, size)
    assert lines(split_of(tmp_path)) == {}
    record(run, 10, NONE)
    assert lines(split_of(tmp_path)) == {"normalisation average": [1, 5]}, "a single point is no line"


def test_what_changes_outputs_parts_lines(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    for size in (1, 2, 4):
        record(run, size)
        record(run, size, precision="int8")
        constraint = {"no_repeat": {"_target_": "x.NoRepeat", "size": 3}}
        record(run, size, constraint=constraint, signature=f"beam|size:{size}|no_repeat:3")
        record(run, size, options={"stopping": "first_finished"})
        record(run, size, signature=f"beam|size:{size}|length:reference")
        record(run, size, signature=f"beam|size:{size}|together:probabilities,equal,abc")
        record(run, size, replace_unknown=True)
        record(run, size, demands={"required_file": "0123456789"})
    found = lines(split_of(tmp_path))
    assert list(found.values()) == [[1, 2, 4]] * 8
    assert any("int8" in label for label in found) and any("first_finished" in label for label in found)


def test_of_two_lists_of_one_size_the_shorter_counts(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=MADE, strategies=())
    for size in (1, 2, 4):
        record(run, size, options={"num_hypotheses": size}, quality=0.2)
    record(run, 4, options={"num_hypotheses": 1}, quality=0.9)
    split = split_of(tmp_path)
    (line,) = beam_curves(split, {split.entries[0].row.key: 0})
    widest = split.entries[line["points"][-1]["entry"]].evaluations[0].facts["configuration"]
    assert (widest["size"], widest["num_hypotheses"]) == (4, 1)


def test_rows_have_lines_of_their_own_and_seeds_share_one(tmp_path: Path) -> None:
    for model, seed in (("gru", 1), ("gru", 2), ("lstm", 1)):
        run = write_run(tmp_path, model, seed, made=MADE, strategies=())
        for size in (1, 2, 4):
            record(run, size)
    split = split_of(tmp_path)
    found = beam_curves(split, {entry.row.key: place for place, entry in enumerate(split.entries)})
    assert sorted(line["label"] for line in found) == ["gru · normalisation average", "lstm · normalisation average"]
    for line in found:
        for point in line["points"]:
            entry = split.entries[point["entry"]]
            ratios = []
            for evaluation in entry.evaluations:
                words = sum(len(text.split()) for text in evaluation.hypotheses())
                ratios.append(words / sum(len(accepted[0].split()) for accepted in evaluation.references()))
            assert point["ratio"] == pytest.approx(sum(ratios) / len(ratios))


@pytest.mark.parametrize(
    ("penalty", "name"),
    [
        (None, "none"),
        (NONE, "none"),
        (AVERAGE, "average"),
        ({"_target_": "s2s_lab.decoding.length_penalty.GNMT", "alpha": 0.6}, "GNMT alpha 0.6"),
        ({"_target_": "s2s_lab.decoding.length_penalty.WordReward", "reward": 2}, "word reward 2"),
        ("odd", "odd"),
    ],
)
def test_names_of_normalisations(penalty: Any, name: str) -> None:
    assert normalisation(penalty) == name
