"""Normalizers equal what their papers define, found by other means than sorting."""

import itertools

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.general import GeneralAttention
from s2s_lab.models.attentions.normalizers.entmax import EntmaxNormalizer
from s2s_lab.models.attentions.normalizers.sigmoid import SigmoidNormalizer
from s2s_lab.models.attentions.normalizers.softmax import SoftmaxNormalizer
from s2s_lab.models.attentions.normalizers.sparsemax import SparsemaxNormalizer
from tests.models.attentions.sources import SIZES, assert_weights, encoded, queries

ALL = [SoftmaxNormalizer, SparsemaxNormalizer, EntmaxNormalizer, SigmoidNormalizer]
SPARSE = [SparsemaxNormalizer, EntmaxNormalizer]
EVERYWHERE = torch.ones(1, 1, dtype=torch.bool)


def energies(rows: int = 40, length: int = 5) -> torch.Tensor:
    scales = torch.logspace(-2, 2, rows, dtype=torch.float64).unsqueeze(1)
    return scales * torch.randn(rows, length, dtype=torch.float64)


def nearest_distribution(row: torch.Tensor) -> torch.Tensor:
    """Of the projections onto every face of the simplex, that of least distance among those inside it."""
    best, least = None, float("inf")
    for size in range(1, len(row) + 1):
        for face in map(list, itertools.combinations(range(len(row)), size)):
            point = torch.zeros_like(row)
            point[face] = row[face] + (1.0 - row[face].sum()) / size
            distance = float((point - row).square().sum())
            if (point >= 0).all() and distance < least:
                best, least = point, distance
    assert best is not None
    return best


def by_bisection(row: torch.Tensor) -> torch.Tensor:
    """max(row / 2 - tau, 0)^2 with the tau at which it sums to 1."""
    low, high = row.max() / 2 - 1.0, row.max() / 2
    for _ in range(200):
        tau = (low + high) / 2
        if (row / 2 - tau).clamp_min(0).square().sum() > 1:
            low = tau
        else:
            high = tau
    return (row / 2 - tau).clamp_min(0).square()


@pytest.mark.parametrize(
    ("normalizer", "reference"),
    [
        (SoftmaxNormalizer, lambda row: row.exp() / row.exp().sum()),
        (SparsemaxNormalizer, nearest_distribution),
        (EntmaxNormalizer, by_bisection),
        (SigmoidNormalizer, lambda row: torch.sigmoid(row) / torch.sigmoid(row).sum()),
    ],
)
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_weights_equal_their_definition(normalizer, reference, temperature):
    given = energies()
    weights = normalizer(temperature=temperature)(given, EVERYWHERE)
    expected = torch.stack([reference(row / temperature) for row in given])
    torch.testing.assert_close(weights, expected, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("normalizer", ALL)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_rows_sum_to_one_and_what_is_masked_weighs_exactly_nothing(normalizer, dtype):
    given = torch.cat((energies(), energies() * 1e3, torch.zeros(1, 5, dtype=torch.float64))).to(dtype)
    mask = torch.rand(given.shape) < 0.5
    mask[torch.arange(len(given)), torch.arange(len(given)) % 5] = True
    weights = normalizer()(given, mask)
    assert weights.dtype == torch.promote_types(dtype, torch.float32)
    assert weights[~mask].eq(0).all() and (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))
    noisy = given.masked_fill(~mask, 1e4)
    assert torch.equal(normalizer()(noisy, mask), weights)


@pytest.mark.parametrize("normalizer", SPARSE)
def test_sparse_weights_leave_out_what_lies_far_below_the_largest(normalizer):
    given = torch.tensor([[0.0, 0.5, 2.6, 2.5], [1.0, 1.0, 1.0, 1.0], [9.0, 0.0, 0.0, 0.0]])
    weights = normalizer()(given, EVERYWHERE)
    assert weights[0, 0] == 0 and weights[0, 2] > weights[0, 3] > 0
    assert torch.equal(weights[1], torch.full((4,), 0.25))
    assert torch.equal(weights[2], torch.tensor([1.0, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize("normalizer", [SoftmaxNormalizer, SparsemaxNormalizer, EntmaxNormalizer])
def test_a_temperature_moves_between_the_largest_alone_and_all_alike(normalizer):
    given = torch.tensor([[1.0, 2.0, 3.0]])
    one = torch.tensor([[0.0, 0.0, 1.0]])
    torch.testing.assert_close(normalizer(temperature=1e-3)(given, EVERYWHERE), one)
    alike = normalizer(temperature=1e6)(given, EVERYWHERE)
    torch.testing.assert_close(alike, torch.full((1, 3), 1 / 3), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("normalizer", ALL)
def test_gradients_pass_gradcheck(normalizer):
    mask = torch.tensor([[True, True, True, False, True], [True, False, True, True, True]])
    given = torch.tensor([[0.1, 1.3, 1.0, 0.4, -4.0], [2.0, 5.0, 1.2, 1.9, 0.9]]).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda part: normalizer(temperature=0.7)(part, mask), given)


@pytest.mark.parametrize("normalizer", ALL)
def test_an_attention_weighs_with_its_normalizer(normalizer):
    attention, source, query = GeneralAttention(**SIZES, normalizer=normalizer()).double(), encoded(), queries()
    prepared = attention.prepare(source)
    contexts, weights = attention(query, prepared)
    assert_weights(weights, source)
    expected = normalizer()(attention.energies(query, prepared[0]), source.memory_mask.unsqueeze(1))
    assert torch.equal(weights, expected)
    torch.testing.assert_close(contexts, weights @ source.memory)


def test_softmax_with_temperature_one_is_what_an_attention_does_by_itself():
    plain, source, query = GeneralAttention(**SIZES).double(), encoded(), queries()
    given = GeneralAttention(**SIZES, normalizer=SoftmaxNormalizer()).double()
    given.load_state_dict(plain.state_dict())
    assert torch.equal(plain(query, plain.prepare(source))[1], given(query, given.prepare(source))[1])


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), True])
def test_impossible_temperatures_are_refused(temperature):
    with pytest.raises(RequestError, match=r"attention\.normalizer\.temperature is .*, expected a number above 0"):
        SoftmaxNormalizer(temperature=temperature)


def test_what_is_no_normalizer_is_refused():
    with pytest.raises(RequestError, match=r"attention\.normalizer is 'sparsemax', expected an option"):
        GeneralAttention(**SIZES, normalizer="sparsemax")  # type: ignore[arg-type]
