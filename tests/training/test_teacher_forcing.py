"""Probabilities of feeding the reference."""

import math

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.training.teacher_forcing import Constant, InverseSigmoid, Linear


def test_constant_stays() -> None:
    assert {Constant(ratio=0.3)(step) for step in (0, 7, 10**6)} == {0.3}


def test_linear_falls_to_its_floor() -> None:
    schedule = Linear(start=1.0, floor=0.25, steps=100)
    assert [schedule(step) for step in (0, 50, 100, 1000)] == pytest.approx([1.0, 0.625, 0.25, 0.25])


def test_inverse_sigmoid_follows_bengio_et_al() -> None:
    schedule = InverseSigmoid(k=50.0)
    for step in (0, 10, 200, 10**9):
        assert schedule(step) == pytest.approx(50 / (50 + math.exp(min(step / 50, 700))))
    assert schedule(round(50 * math.log(50))) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Constant(ratio=1.1),
        lambda: Linear(steps=0),
        lambda: InverseSigmoid(k=0.0),
        lambda: Constant(coin="word"),
    ],
)
def test_impossible_options_are_refused(build) -> None:
    with pytest.raises(RequestError, match="teacher_forcing"):
        build()


def test_the_coin_is_for_tokens_unless_told() -> None:
    assert [Constant().coin, Linear(steps=1).coin, InverseSigmoid(k=2.0).coin] == ["token"] * 3
    whole = [Constant(coin="sequence"), Linear(steps=1, coin="sequence"), InverseSigmoid(k=2.0, coin="sequence")]
    assert [schedule.coin for schedule in whole] == ["sequence"] * 3
