"""Filters: what they keep is what their definitions keep, and drawing follows the weights."""

import pytest
import torch
from scipy import stats

from s2s_lab.decoding.filters import draw, nucleus, temperature, top_k, top_p

LOG_PROBS = torch.tensor([[0.5, 0.25, 0.125, 0.125]], dtype=torch.float64).log()


def test_temperature_raises_probabilities_to_its_inverse() -> None:
    log_probs = torch.randn(3, 7, dtype=torch.float64)
    for value in (0.5, 1.0, 3.0):
        expected = log_probs.softmax(-1) ** (1 / value)
        torch.testing.assert_close(temperature(log_probs, value).softmax(-1), expected / expected.sum(-1, keepdim=True))
    assert temperature(log_probs, 1.0) is log_probs


def test_a_tiny_temperature_leaves_only_the_most_probable_symbol() -> None:
    cold = temperature(torch.randn(3, 7), 1e-6)
    assert torch.equal(cold.softmax(-1).amax(-1), torch.ones(3)) and bool(torch.isfinite(cold.amax(-1)).all())


def test_top_k_keeps_the_k_most_probable_and_the_lower_id_of_a_tie() -> None:
    values, ids = top_k(LOG_PROBS, 3)
    assert ids.tolist() == [[0, 1, 2]] and torch.equal(values, LOG_PROBS[:, :3])
    assert top_k(LOG_PROBS, 9)[1].tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(("p", "kept"), [(0.01, 1), (0.49, 1), (0.51, 2), (0.74, 2), (0.76, 3), (0.9, 4), (1.0, 4)])
def test_top_p_keeps_the_fewest_symbols_that_reach_p(p: float, kept: int) -> None:
    for shift in (0.0, 5.0):
        assert int((top_p(LOG_PROBS + shift, p) > -torch.inf).sum()) == kept


@pytest.mark.parametrize("spread", [0.1, 1.0, 10.0])  # so flat that all must be sorted, and so peaked that few must
def test_nucleus_of_a_large_vocabulary_equals_top_p_of_all_of_it_sorted(spread: float) -> None:
    log_probs = torch.randn(5, 900, dtype=torch.float64) * spread
    ordered, order = log_probs.sort(dim=-1, descending=True, stable=True)
    expected = top_p(ordered, 0.7)
    values, ids = nucleus(log_probs, 0.7)
    columns = values.size(1)
    assert torch.equal(values, expected[:, :columns]) and torch.equal(ids, order[:, :columns])
    assert bool((expected[:, columns:] == -torch.inf).all())


@pytest.mark.parametrize("columns", [6, 800, 1024])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draw_inverts_the_distribution_function(columns: int, dtype: torch.dtype) -> None:
    log_probs = torch.randn(50, columns, dtype=dtype)
    log_probs[:, ::3] = -torch.inf
    uniforms = torch.rand(50, dtype=torch.float64)
    drawn = draw(log_probs, uniforms)
    sums = log_probs.double().softmax(-1).cumsum(-1)
    above = sums.gather(1, drawn.unsqueeze(1)).squeeze(1)
    below = above - log_probs.double().softmax(-1).gather(1, drawn.unsqueeze(1)).squeeze(1)
    assert bool((uniforms < above + 1e-6).all()) and bool((uniforms > below - 1e-6).all())


@pytest.mark.parametrize("columns", [6, 800])
@pytest.mark.parametrize("uniform", [0.0, 1 - 2.0**-53])
def test_draw_never_takes_an_impossible_symbol_even_at_the_ends(columns: int, uniform: float) -> None:
    log_probs = torch.full((1, columns), -torch.inf)
    log_probs[0, [2, 3]] = torch.tensor([-200.0, -201.0])
    assert int(draw(log_probs, torch.tensor([uniform], dtype=torch.float64))) == (2 if uniform == 0 else 3)


@pytest.mark.parametrize("columns", [6, 600, 800])
@pytest.mark.parametrize("value", [-torch.inf, torch.nan])
def test_of_a_row_without_any_possible_symbol_an_existing_one_is_drawn(columns: int, value: float) -> None:
    drawn = draw(torch.full((3, columns), value), torch.tensor([0.0, 0.5, 0.999], dtype=torch.float64))
    assert bool(((drawn >= 0) & (drawn < columns)).all())


def test_frequencies_of_draws_match_the_weights() -> None:
    log_probs = torch.randn(1, 5, dtype=torch.float64)
    drawn = draw(log_probs.expand(20000, -1).contiguous(), torch.rand(20000, dtype=torch.float64))
    expected = log_probs.softmax(-1)[0] * 20000
    assert stats.chisquare(drawn.bincount(minlength=5).numpy(), expected.numpy()).pvalue > 0.001
