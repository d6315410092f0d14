"""Schedules follow the formulas they state."""

import math

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.training.learning_rates.constant import Constant
from s2s_lab.training.learning_rates.cosine import Cosine
from s2s_lab.training.learning_rates.inverse_square_root import InverseSquareRoot
from s2s_lab.training.learning_rates.plateau import Plateau
from s2s_lab.training.learning_rates.step_decay import StepDecay

PEAK = 0.5


def rates(schedule, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler = schedule.scheduler(optimizer, steps, higher_is_better=True)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_constant_is_the_peak_after_a_linear_rise() -> None:
    assert rates(Constant(), 5) == [PEAK] * 5
    assert rates(Constant(warmup_steps=3), 6) == pytest.approx([PEAK / 4, PEAK / 2, 3 * PEAK / 4, PEAK, PEAK, PEAK])


def test_step_decay_halves_four_times_over_the_last_third() -> None:
    found = rates(StepDecay(), 1200)
    assert set(found[:800]) == {PEAK}
    assert [found[step] for step in (800, 900, 1000, 1100, 1199)] == [
        PEAK / 2,
        PEAK / 4,
        PEAK / 8,
        PEAK / 16,
        PEAK / 16,
    ]


def test_inverse_square_root_peaks_at_the_end_of_the_warm_up() -> None:
    found = rates(InverseSquareRoot(warmup_steps=100), 1000)
    assert found.index(max(found)) == 99
    assert found[99] == pytest.approx(PEAK)
    assert found[399] == pytest.approx(PEAK / 2)
    assert found[49] == pytest.approx(PEAK / 2)


def test_cosine_falls_from_the_peak_to_the_floor() -> None:
    found = rates(Cosine(warmup_steps=10, floor=0.1), 1010)
    assert found[10] == pytest.approx(PEAK)
    assert found[510] == pytest.approx(PEAK * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi / 2))))
    assert found[-1] == pytest.approx(PEAK * 0.1, rel=1e-3)


@pytest.mark.parametrize(("higher_is_better", "sign"), [(True, 1), (False, -1)])
def test_plateau_waits_for_patience_in_the_metrics_direction(higher_is_better: bool, sign: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler = Plateau(patience=1).scheduler(optimizer, 10, higher_is_better=higher_is_better)
    found = []
    for value in (1, 2, 3, 3, 3, 4):
        scheduler.step(sign * value)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == [PEAK] * 4 + [PEAK / 2] * 2


@pytest.mark.parametrize(
    "build",
    [
        lambda: StepDecay(start=1.0),
        lambda: StepDecay(times=0),
        lambda: InverseSquareRoot(warmup_steps=0),
        lambda: Cosine(floor=2.0),
        lambda: Constant(warmup_steps=-1),
    ],
)
def test_impossible_options_are_refused(build) -> None:
    with pytest.raises(RequestError, match="learning_rate"):
        build()
