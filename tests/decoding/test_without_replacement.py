"""Conditional maxima, inclusion probabilities and estimates against their definitions and against drawing plainly."""

import math

import pytest
import torch
from scipy import stats

from s2s_lab.decoding.without_replacement import (
    condition_maximum,
    estimate,
    importance_weights,
    inclusion_probabilities,
)


def test_children_get_what_the_equation_says() -> None:
    perturbed = torch.randn(50, 6, dtype=torch.float64).sort(dim=-1, descending=True).values * 3
    parents = torch.randn(50, 1, dtype=torch.float64)
    expected = -(torch.exp(-parents) - torch.exp(-perturbed[:, :1]) + torch.exp(-perturbed)).log()
    moved = condition_maximum(perturbed, parents)
    torch.testing.assert_close(moved, expected)
    assert torch.equal(moved[:, :1], parents) and bool((moved.diff(dim=-1) <= 0).all())


@pytest.mark.parametrize("parent", [-900.0, -5.0, 0.0, 60.0, 900.0])
def test_the_extremes_stay_finite_in_order_and_below_the_parent(parent: float) -> None:
    children = torch.tensor([[40.0, 40.0 - 1e-13, 39.0, 0.0, -40.0, -800.0, -torch.inf]], dtype=torch.float64)
    for shift in (-1000.0, -30.0, 0.0, 500.0):
        moved = condition_maximum(children + shift, torch.full((1, 1), parent, dtype=torch.float64))
        assert float(moved[0, 0]) == parent and float(moved[0, -1]) == -math.inf
        assert bool(torch.isfinite(moved[0, :-1]).all()) and bool((moved[0, :-1].diff() <= 0).all())


def test_the_dead_have_dead_children_and_impossible_ones_are_dead() -> None:
    rows = torch.tensor([[1.0, 0.0], [-torch.inf, -torch.inf], [2.0, -torch.inf]], dtype=torch.float64)
    parents = torch.tensor([[-torch.inf], [0.5], [0.5]], dtype=torch.float64)
    assert condition_maximum(rows, parents).tolist() == [[-math.inf] * 2, [-math.inf] * 2, [0.5, -math.inf]]


def test_inclusion_is_the_probability_of_passing_the_threshold() -> None:
    log_probs = torch.tensor([0.5, 0.2, 0.001], dtype=torch.float64).log()
    noisy = log_probs - (-torch.rand((200_000, 3), dtype=torch.float64).log()).log()
    for threshold in (-3.0, -0.5, 1.0):
        passed = (noisy > threshold).double().mean(0)
        expected = inclusion_probabilities(log_probs, torch.tensor(threshold, dtype=torch.float64))
        assert bool(((passed - expected).abs() < 4 * (expected * (1 - expected) / 200_000).sqrt() + 1e-12).all())
    assert inclusion_probabilities(log_probs, torch.tensor(-math.inf)).tolist() == [1, 1, 1]


def test_weights_are_p_over_q_and_stay_finite_for_the_least_probable() -> None:
    log_probs = torch.tensor([-0.1, -3.0, -30.0, -60.0, -2000.0], dtype=torch.float64)
    threshold = torch.tensor(-1.5, dtype=torch.float64)
    weights = importance_weights(log_probs, threshold)
    expected = log_probs[:3].exp() / inclusion_probabilities(log_probs[:3], threshold)
    torch.testing.assert_close(weights[:3], expected)
    torch.testing.assert_close(weights[3:], threshold.exp().expand(2))  # q tends to p / exp(kappa)
    torch.testing.assert_close(importance_weights(log_probs, torch.tensor(-math.inf)), log_probs.exp())


@pytest.mark.parametrize("size", [1, 2, 4])
def test_estimates_from_drawing_without_replacement_are_unbiased(size: int) -> None:
    generator = torch.Generator().manual_seed(4)
    probabilities = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.06, 0.04], dtype=torch.float64)
    values = torch.tensor([1.0, -2.0, 0.5, 7.0, -3.0, 20.0], dtype=torch.float64)
    uniforms = torch.rand((40_000, 6), generator=generator, dtype=torch.float64)
    noisy, order = (probabilities.log() - (-uniforms.log()).log()).sort(dim=-1, descending=True)
    order, threshold = order[:, :size], noisy[:, size]
    estimates = estimate(values[order], probabilities.log()[order], threshold)
    truth = float((probabilities * values).sum())
    assert stats.ttest_1samp(estimates.numpy(), truth).pvalue > 0.001
    constant = estimate(torch.full_like(threshold, 3.0).unsqueeze(1).expand(-1, size), probabilities.log()[order],
                        threshold, normalised=True)  # fmt: skip
    torch.testing.assert_close(constant, torch.full_like(constant, 3.0))


def test_estimates_from_all_outputs_are_exact() -> None:
    probabilities = torch.tensor([[0.7, 0.3]], dtype=torch.float64)
    values = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    for normalised in (False, True):
        found = estimate(values, probabilities.log(), torch.tensor([-math.inf]), normalised=normalised)
        assert float(found) == pytest.approx(1.1)
