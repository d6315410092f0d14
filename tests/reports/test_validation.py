"""A sweep that was never decoded is read by the validations of its trainings."""

from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from markupsafe import escape
from rich.console import Console

from s2s_lab.metrics.significance import t_interval
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.page import render
from s2s_lab.reports.page_data import Limits, page_data
from s2s_lab.reports.runs import collect
from s2s_lab.reports.terminal import print_comparison
from s2s_lab.reports.validation import NOTE, shown_splits, validations
from tests.reports.synthetic import Sentences, sentences, write_run

VALUES = {(size, seed): 20 + size / 32 + seed for size, seed in product((64, 128, 256), (1, 2, 3))}


@pytest.fixture
def made() -> Sentences:
    return sentences(12)


def sweep(root: Path, made: Sentences, **kept: Any) -> list[RunFolder]:
    """Three rows of three seeds, none of them decoded unless told."""
    folders = []
    for (size, seed), value in VALUES.items():
        folder = write_run(
            root, "gru", seed, made=made, **{"strategies": (), **kept}, settings={"encoder": {"hidden_size": size}}
        )
        folder.update({"best": {"metric": "bleu", "value": value, "step": 900}})
        folders.append(folder)
    return folders


def test_rows_are_ranked_by_the_mean_of_their_seeds_best(tmp_path: Path, made: Sentences) -> None:
    sweep(tmp_path, made)
    rows = collect([tmp_path]).rows
    (split,) = validations(rows)
    assert [entry.row.configuration["encoder"]["hidden_size"] for entry in split.entries] == [256, 128, 64]
    assert [entry.best for entry in split.entries] == [True, False, False]
    for entry in split.entries:
        size = entry.row.configuration["encoder"]["hidden_size"]
        own = [VALUES[size, seed] for seed in (1, 2, 3)]
        assert entry.measures["bleu"].values == tuple(own)
        assert entry.measures["bleu"].interval == t_interval(own)
    assert not split.decoded


@pytest.mark.parametrize(("metric", "first"), [("loss", 64), ("word_error_rate", 64), ("bleu", 256)])
def test_the_direction_is_the_metric_s(tmp_path: Path, made: Sentences, metric: str, first: int) -> None:
    for folder, value in zip(sweep(tmp_path, made), VALUES.values(), strict=True):
        folder.update({
            "best": {"metric": metric, "value": value}, "validations": {"higher_is_better": metric == "bleu"}
        })  # fmt: skip
    (split,) = validations(collect([tmp_path]).rows)
    assert split.entries[0].row.configuration["encoder"]["hidden_size"] == first


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (
            {"best": {"metric": "loss", "value": 1.0}, "validations": {"higher_is_better": False}},
            "validation (loss)",
        ),
        ({"data": {"name": "toy", "fingerprint": "0123456789abcdef"}}, "validation (data 01234567)"),
        ({"data": {"name": "toy", "fingerprint": "feedbeefcafe", "pairs": {"validation": 7}}}, "7 sentences"),
    ],
)
def test_what_cannot_be_compared_stands_apart(
    tmp_path: Path, made: Sentences, facts: dict[str, Any], told: str
) -> None:
    folders = sweep(tmp_path, made)
    for folder in folders[:3]:  # all seeds of the first row
        folder.update(facts)
    first, second = validations(collect([tmp_path]).rows)
    assert (len(first.entries), len(second.entries)) == (2, 1)
    assert told in second.split and second.split != first.split


def test_losses_over_different_vocabularies_stand_apart(tmp_path: Path, made: Sentences) -> None:
    for place, folder in enumerate(sweep(tmp_path, made)):
        data = {"name": "toy", "fingerprint": "feedbeefcafe", "vocabulary": [9, 9 + place // 3]}
        lower = {"higher_is_better": False}
        folder.update({"best": {"metric": "loss", "value": 1.0}, "validations": lower, "data": data})
    splits = validations(collect([tmp_path]).rows)
    assert [len(split.entries) for split in splits] == [1, 1, 1]
    assert len({split.split for split in splits}) == 3


def test_runs_without_a_validation_are_left_out(tmp_path: Path, made: Sentences) -> None:
    folders = sweep(tmp_path, made)
    for folder, best in zip(folders, [None, {"value": None}, {"value": "nan"}], strict=False):
        folder.update({"best": best})
    folders[3].update({"validations": None})  # nothing says which direction is better
    (split,) = validations(collect([tmp_path]).rows)
    assert [entry.row.configuration["encoder"]["hidden_size"] for entry in split.entries] == [256, 128]
    assert [len(entry.runs) for entry in split.entries] == [3, 2]


def test_decoded_rows_alone_show_no_validations(tmp_path: Path, made: Sentences) -> None:
    sweep(tmp_path, made, strategies=("greedy",))
    comparison = compare(collect([tmp_path]))
    assert shown_splits(comparison) == comparison.splits


def test_the_page_of_a_sweep_has_its_axes_and_their_importance(tmp_path: Path, made: Sentences) -> None:
    sweep(tmp_path, made)
    comparison = compare(collect([tmp_path]))
    data = page_data(comparison, Limits())
    (split,) = data["splits"]
    assert [axis["label"] for axis in data["axes"]] == ["encoder.hidden_size"]
    assert split["importance"]["shares"] == [1.0] and split["importance"]["runs"] == len(VALUES)
    assert [round(entry["scores"]["bleu"]["mean"], 6) for entry in split["entries"]] == [
        mean(VALUES[size, seed] for seed in (1, 2, 3)) for size in (256, 128, 64)
    ]
    page = render(comparison, limits=Limits())
    assert escape(NOTE) in page and 'id="sweep"' in page and 'id="outputs"' not in page


def test_a_partly_decoded_sweep_shows_both(tmp_path: Path, made: Sentences) -> None:
    sweep(tmp_path, made)
    write_run(tmp_path, "lstm", 1, made=made, strategies=("greedy",))
    comparison = compare(collect([tmp_path]))
    test, validation = shown_splits(comparison)
    assert [test.split, validation.split] == ["test", "validation"]
    assert (len(test.entries), len(validation.entries)) == (1, 4)
    page = render(comparison, limits=Limits())
    assert 'id="outputs"' in page and 'id="sweep"' in page


def test_the_terminal_ranks_what_was_not_decoded(
    tmp_path: Path, made: Sentences, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(tmp_path, made)
    print_comparison(compare(collect([tmp_path])), Console(width=200))
    lines = [line for line in capsys.readouterr().out.splitlines() if "BLEU" in line]
    assert [line.split("hidden_size=")[1].split(")")[0] for line in lines] == ["256", "128", "64"]
    own = [VALUES[256, seed] for seed in (1, 2, 3)]
    assert f"{mean(own):.2f} ± {t_interval(own).high - mean(own):.2f} BLEU" in lines[0]
