"""The attention by products equals torch's own, on both sides of the length at which it takes over."""

import pytest
import torch
from torch.nn import functional

from s2s_lab.models.layers import scaled_dot_product as module
from s2s_lab.models.layers.scaled_dot_product import scaled_dot_product

SIZES = [(2, 3, 5, 4), (1, 1, 1, 2), (3, 2, 7, 5)]


def heads(batch: int, num_heads: int, length: int, size: int) -> list[torch.Tensor]:
    drawn = torch.randn(3, batch, num_heads, length, size, dtype=torch.float64)
    return [part.clone().requires_grad_() for part in drawn]


def prefixes(batch: int, length: int) -> torch.Tensor:
    return torch.arange(length) < torch.randint(1, length + 1, (batch, 1))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("longest", [module.LONGEST_OF_PRODUCTS, 0])
def test_it_is_torchs_own_with_its_gradients(
    sizes: tuple[int, int, int, int], causal: bool, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_OF_PRODUCTS", longest)
    query, key, value = heads(*sizes)
    mask = None if causal else prefixes(sizes[0], sizes[2])
    seen = None if mask is None else mask[:, None, None, :]
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=causal)
    found = scaled_dot_product(query, key, value, mask)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    slope = torch.randn_like(expected)
    slopes = [torch.autograd.grad(each, (query, key, value), slope, retain_graph=True) for each in (found, expected)]
    for one, other in zip(*slopes, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_fewer_queries_than_keys_see_what_the_mask_says() -> None:
    query, key, value = heads(2, 3, 6, 4)
    mask = prefixes(2, 6)
    expected = scaled_dot_product(query, key, value, mask)[:, :, :2]
    assert torch.allclose(scaled_dot_product(query[:, :, :2], key, value, mask), expected, rtol=0, atol=1e-12)


def test_gradients_pass_gradcheck() -> None:
    query, key, value = heads(2, 2, 3, 2)
    for mask in (None, torch.tensor([[True, True, False], [True, False, False]])):
        inputs = (query, key, value)
        assert torch.autograd.gradcheck(lambda q, k, v, mask=mask: scaled_dot_product(q, k, v, mask), inputs)


def test_what_is_masked_changes_nothing() -> None:
    query, key, value = (part.detach() for part in heads(1, 2, 4, 3))
    mask = torch.tensor([[True, True, True, False]])
    found = scaled_dot_product(query, key, value, mask)
    key[:, :, 3], value[:, :, 3] = 1e6, -1e6
    assert torch.equal(scaled_dot_product(query, key, value, mask), found)


@pytest.mark.parametrize(("batch", "length"), [(0, 3), (2, 0)])
def test_nothing_gives_nothing(batch: int, length: int) -> None:
    query = torch.zeros(batch, 2, length, 4)
    key = torch.zeros(batch, 2, 3, 4)
    mask = torch.ones(batch, 3, dtype=torch.bool)
    assert scaled_dot_product(query, key, key, mask).shape == query.shape
    assert scaled_dot_product(query, query, query, None).shape == query.shape


def test_bfloat16_is_as_near_to_float64_as_torchs_own() -> None:
    query, key, value = (part.detach().bfloat16() for part in heads(3, 2, 9, 8))
    mask = prefixes(3, 9)
    expected = scaled_dot_product(query.double(), key.double(), value.double(), mask)
    theirs = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
    found = scaled_dot_product(query, key, value, mask)
    errors = [float((each.double() - expected).abs().max()) for each in (found, theirs)]
    assert errors[0] < 3 * errors[1] + 1e-2
