"""When a run is called under-trained."""

import math

from s2s_lab.training.convergence import under_trained

RISING = [(step, step / 1000) for step in range(100, 1001, 100)]
FLAT = [(step, min(0.5, step / 1000)) for step in range(100, 1001, 100)]


def test_a_metric_that_still_rises_at_the_end_is_under_trained() -> None:
    assert under_trained(RISING, higher_is_better=True, stopped_early=False).flag


def test_a_flat_metric_is_not() -> None:
    assert not under_trained(FLAT, higher_is_better=True, stopped_early=False).flag


def test_the_direction_counts() -> None:
    assert not under_trained(RISING, higher_is_better=False, stopped_early=False).flag
    falling = [(step, -value) for step, value in RISING]
    assert under_trained(falling, higher_is_better=False, stopped_early=False).flag


def test_early_stopping_is_an_answer() -> None:
    assert not under_trained(RISING, higher_is_better=True, stopped_early=True).flag


def test_a_metric_that_leaves_zero_late_is_under_trained_and_one_that_never_does_is_flat() -> None:
    late = [(step, 0.0 if step < 900 else 0.2) for step in range(100, 1001, 100)]
    assert under_trained(late, higher_is_better=True, stopped_early=False).flag
    assert not under_trained([(s, 0.0) for s, _ in RISING], higher_is_better=True, stopped_early=False).flag


def test_too_few_validations_show_nothing() -> None:
    assert under_trained([(10, 1.0)], higher_is_better=True, stopped_early=False).flag


def test_values_that_are_not_finite_are_no_improvement_and_no_end() -> None:
    broken = [(step, math.nan if step == 500 else value) for step, value in FLAT]
    assert not under_trained(broken, higher_is_better=True, stopped_early=False).flag
    for stopped_early in (False, True):
        assert under_trained([*FLAT, (1100, math.inf)], higher_is_better=False, stopped_early=stopped_early).flag
