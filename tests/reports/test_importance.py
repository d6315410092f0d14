"""Settings of a sweep become axes, and what decides the score weighs most."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_lab.records.configuration import ABSENT
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.entries import ScoreKind
from s2s_lab.reports.importance import FEWEST_RUNS, importance_of, weigh
from s2s_lab.reports.runs import collect
from s2s_lab.reports.settings import Setting, settings_of
from tests.reports.synthetic import sentences, write_run

KIND = ScoreKind("bleu", "BLEU", True)
GRID = list(itertools.product([25, 50, 100, 200, 400], [0.0, 0.1, 0.5], ["gru", "lstm", "rnn"]))


def grid_settings() -> list[Setting]:
    sizes, rates, cells = zip(*GRID, strict=True)
    return settings_of({"encoder.hidden_size": sizes, "encoder.dropout": rates, "cell._target_": cells})


def test_axes_are_numeric_logarithmic_or_of_categories() -> None:
    size, rate, cell = grid_settings()
    assert (size.numeric, size.logarithmic, size.levels) == (True, True, [25, 50, 100, 200, 400])
    assert (rate.numeric, rate.logarithmic) == (True, False), "0 has no logarithm"
    assert (cell.label, cell.numeric, cell.levels) == ("cell", False, ["gru", "lstm", "rnn"])


def test_keys_that_vary_together_are_one_axis() -> None:
    found = settings_of({
        "cell._target_": ["s2s_lab.x.GRU", "s2s_lab.x.LSTM", "s2s_lab.x.GRU"],
        "encoder.hidden_size": [50, 100, 50],
        "cell.forget_bias": [ABSENT, 1.0, ABSENT],
        "optimizer.lr": [0.1, 0.1, 0.2],
        "flag": [True, True, 1],
    })  # fmt: skip
    assert [setting.keys for setting in found] == [
        ("cell._target_", "encoder.hidden_size", "cell.forget_bias"),
        ("optimizer.lr", "flag"),
    ]
    assert found[0].label == "encoder.hidden_size", "numbers, and no gaps, say most"


def test_the_settings_of_a_random_search_are_axes_of_their_own() -> None:
    generator = np.random.default_rng(1)
    rate, size = generator.random(12).tolist(), generator.permutation(12).tolist()
    found = settings_of({"rate": rate, "size": size, "twice": [2 * value for value in size],
                         "rest": [-value for value in rate], "name": [f"run {value}" for value in size]})  # fmt: skip
    assert [setting.keys for setting in found] == [("rate", "rest"), ("size", "twice"), ("name",)]


@pytest.mark.parametrize("decisive", [0, 1, 2])
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_what_decides_the_score_weighs_most(decisive: int, higher_is_better: bool) -> None:
    settings = grid_settings()
    levels: list[Any] = list(settings[decisive].levels)
    noise = np.random.default_rng(1).normal(0, 0.1, size=len(GRID))
    scores = [levels.index(setting) + wobble for setting, wobble in zip(settings[decisive].values, noise, strict=True)]
    found = weigh(settings, range(len(GRID)), scores, ScoreKind("x", "x", higher_is_better))
    assert found is not None
    shares, best = found
    assert sum(shares) == pytest.approx(1)
    assert shares[decisive] == max(shares) and shares[decisive] > 0.6
    assert len(GRID) / 4 <= best < len(GRID) / 2


def test_importance_does_not_depend_on_the_unit_of_a_logarithmic_setting() -> None:
    scores = [size + 100 * rate for size, rate, _ in GRID]
    plain = weigh(grid_settings(), range(len(GRID)), scores, KIND)
    sizes = tuple(value * 1e6 for value, _, _ in GRID)
    scaled = [Setting("size", ("size",), True, True, sizes), *grid_settings()[1:]]
    other = weigh(scaled, range(len(GRID)), scores, KIND)
    assert plain is not None and other is not None
    assert other[0] == pytest.approx(plain[0])


def test_a_setting_that_does_not_vary_among_the_runs_has_no_share() -> None:
    settings = [*grid_settings(), Setting("same", ("same",), True, False, (1.0,) * len(GRID))]
    found = weigh(settings, range(len(GRID)), [float(size) for size, _, _ in GRID], KIND)
    assert found is not None and found[0][-1] == 0
    assert weigh(settings[-1:], range(len(GRID)), list(range(len(GRID))), KIND) is None


def test_few_runs_say_nothing_and_more_are_counted_seed_by_seed(tmp_path: Path) -> None:
    made = sentences(10, hostile=False)
    for place in range(4):
        for seed in (1, 2):
            encoder = {"hidden_size": 2 ** (5 + place)}
            write_run(tmp_path, "gru", seed, made=made, quality=0.3 + 0.2 * place, settings={"encoder": encoder})
    collection = collect([tmp_path])
    (split,) = compare(collection, samples=10).splits
    rows, settings = [row.key for row in collection.rows], settings_of(collection.differences)
    found = importance_of(split, rows, settings)
    assert found is not None and found.runs == FEWEST_RUNS
    assert (found.shares, found.score) == ((1.0,), "bleu")
    assert importance_of(split, rows, []) is None
    (tmp_path / "fewer").mkdir()
    fewer = [row for row in collection.rows if row.configuration["encoder"]["hidden_size"] > 32]
    (split,) = compare(collect([run.folder.path for row in fewer for run in row.runs]), samples=10).splits
    assert importance_of(split, rows, settings) is None
