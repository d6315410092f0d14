"""What a measurement keeps, drops and fits."""

from pathlib import Path

import pytest

from experiments.speed.plot import plot_growth
from experiments.speed.rates import json_lines, medians, training_rate
from experiments.speed.scaling import exponent, exponents
from s2s_lab.faults import RunError


def curves(path: Path, rows: list[tuple[float, float | str]]) -> Path:
    lines = ["epoch,step,seconds,train/loss,train/tokens_per_second"]
    path.write_text("\n".join(lines + [f"0,{n},{at},1.0,{rate}" for n, (at, rate) in enumerate(rows)]) + "\n")
    return path


def test_the_first_row_and_the_warm_up_never_count(tmp_path: Path) -> None:
    warm = [(10.0, 1.0), (11.0, 999.0), (13.9, 5.0)]
    rate = training_rate(curves(tmp_path / "m.csv", [*warm, *((15.0 + n, 100.0) for n in range(4))]), warm_up=5.0)
    assert rate.tokens_per_s == pytest.approx(100.0) and rate.tokens_per_s_median == 100.0
    assert rate.windows == 4


def test_the_rate_is_all_tokens_over_all_time_and_the_median_is_of_windows(tmp_path: Path) -> None:
    rows: list[tuple[float, float | str]] = [(0.0, 7.0), (1.0, 10.0), (2.0, 20.0), (2.5, ""), (12.0, 60.0)]
    rate = training_rate(curves(tmp_path / "m.csv", rows), warm_up=0.0)
    tokens = 10.0 * 1 + 20.0 * 1 + 60.0 * 10  # the row without a rate, as of a validation, is none
    assert rate.tokens_per_s == pytest.approx(tokens / 12.0)
    assert rate.tokens_per_s_median == 20.0
    assert rate.seconds == pytest.approx(12.0)


@pytest.mark.parametrize("rows", [[], [(0.0, 5.0)], [(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)]])
def test_too_few_windows_are_no_measurement(tmp_path: Path, rows: list[tuple[float, float | str]]) -> None:
    with pytest.raises(RunError, match="--seconds"):
        training_rate(curves(tmp_path / "m.csv", rows), warm_up=0.0)


def test_medians_are_taken_of_numbers_alone() -> None:
    rounds = [
        {"a": 3, "b": 1.0, "c": "x", "d": None},
        {"a": 1, "b": 9.0, "c": "y", "d": 2},
        {"a": 2, "b": 2.0, "c": "z"},
    ]
    assert medians(rounds) == {"a": 2, "b": 2.0, "c": "x", "d": None}
    assert medians(rounds[::-1])["a"] == 2


def test_json_lines_are_found_among_noise() -> None:
    text = 'warning: {"a": 1\n{"a": 1, "b": 2}\n[1]\n{"a": 3}\n3\n  {"b": 5, "a": 4}\ndone'
    assert json_lines(text, ("a", "b")) == [{"a": 1, "b": 2}, {"b": 5, "a": 4}]
    with pytest.raises(RunError, match="c"):
        json_lines(text, ("c",))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_exponents_of_exact_power_laws_are_found_in_any_order(power: float) -> None:
    sizes = [64, 1, 8, 512, 2]
    assert exponent(sizes, [3.7 * size**power for size in sizes]) == pytest.approx(power)


def test_costs_that_do_not_grow_at_small_sizes_do_not_hide_the_exponent() -> None:
    sizes = [1, 2, 4, 8, 16, 32, 64]
    assert exponent(sizes, [max(8.0, float(size)) ** 2 for size in sizes]) == pytest.approx(2.0)


def test_exponents_are_of_each_curve_alone() -> None:
    rows = [
        {"dimension": dimension, "kind": kind, "value": value, "seconds": 0.1 * value**power}
        for value in (10, 100, 1000)
        for dimension, kind, power in (("batch", "train", 1.0), ("batch", "decode", 0.5), ("beam", "decode", 2.0))
    ]
    found = exponents([*rows, {"dimension": "pairs", "kind": "epoch", "value": 5, "seconds": 1.0}])
    assert {key: round(value, 6) for key, value in found.items()} == {
        ("batch", "train"): 1.0, ("batch", "decode"): 0.5, ("beam", "decode"): 2.0,
    }  # fmt: skip


def test_growth_is_drawn(tmp_path: Path) -> None:
    rows = [
        {"dimension": dimension, "kind": "train", "value": value, "seconds": value / 7}
        for dimension in ("batch", "hidden", "vocabulary", "source_length") for value in (1, 2, 4)
    ]  # fmt: skip
    plot_growth(rows, tmp_path / "new" / "growth.png")
    assert (tmp_path / "new" / "growth.png").read_bytes().startswith(b"\x89PNG")
