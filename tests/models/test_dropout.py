"""Dropout drops the share it says, scales the rest, and repeats itself for a seed."""

import math

import pytest
import torch

from s2s_lab.models.layers.dropout import Dropout

COUNT = 40_003  # no multiple of the entries that share a draw


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_entries_are_dropped_at_the_rate_and_the_others_scaled(rate: float) -> None:
    torch.manual_seed(1)
    found = Dropout(rate)(torch.ones(COUNT))
    kept = found != 0
    assert torch.allclose(found[kept], torch.tensor(1.0 / (1.0 - rate)), rtol=1e-4)
    deviation = math.sqrt(rate * (1.0 - rate) / COUNT)
    assert abs(float((~kept).float().mean()) - rate) < 5 * deviation


def test_entries_are_dropped_independently_of_their_neighbours() -> None:
    torch.manual_seed(2)
    kept = (Dropout(0.3)(torch.ones(COUNT)) != 0).double() - 0.7
    for distance in (1, 2, 3, 4, 8):
        covariance = float((kept[distance:] * kept[:-distance]).mean())
        assert abs(covariance) < 5 * 0.21 / math.sqrt(COUNT)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_gradient_is_dropped_and_scaled_alike(dtype: torch.dtype) -> None:
    inputs = torch.randn(7, 3, 5, dtype=dtype).requires_grad_()
    found = Dropout(0.4)(inputs)
    (slope,) = torch.autograd.grad(found.sum(), inputs)
    assert found.dtype == slope.dtype == dtype
    assert torch.equal(slope * inputs, found)


def test_a_seed_repeats_the_noise_and_another_one_does_not() -> None:
    dropout, ones = Dropout(0.5), torch.ones(100)
    first, again, other = (torch.manual_seed(seed) and dropout(ones) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_nothing_is_dropped_in_eval_mode_or_at_rate_0_and_no_noise_drawn() -> None:
    inputs = torch.randn(9)
    before = torch.get_rng_state()
    assert torch.equal(Dropout(0.5).eval()(inputs), inputs) and torch.equal(Dropout(0.0)(inputs), inputs)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), (1,)])
def test_any_shape_is_kept(shape: tuple[int, ...]) -> None:
    assert Dropout(0.5)(torch.ones(shape)).shape == shape


def test_rate_1_drops_all() -> None:
    assert not Dropout(1.0)(torch.ones(50)).any()
