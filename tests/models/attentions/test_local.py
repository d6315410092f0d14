"""Local attentions equal section 3.2 of Luong et al., and see nothing outside their window."""

import math
from functools import partial

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.attentions.concat import ConcatAttention
from s2s_lab.models.attentions.coverage import CoverageAttention
from s2s_lab.models.attentions.dot import DotAttention
from s2s_lab.models.attentions.general import GeneralAttention
from s2s_lab.models.attentions.local_m import LocalMonotonicAttention
from s2s_lab.models.attentions.local_p import LocalPredictiveAttention
from s2s_lab.models.attentions.location import LocationAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.attentions.normalizers.sparsemax import SparsemaxNormalizer
from tests.models.attentions.sources import (
    BATCH,
    LENGTHS,
    SIZES,
    SOURCE_LEN,
    STEPS,
    assert_weights,
    encoded,
    queries,
    unroll,
)

ENERGIES = {"dot": DotAttention, "general": GeneralAttention, "concat": ConcatAttention}


def softmax_within(attention, query, entries, low, high):
    """Weights over positions, counted from 1, from low to high."""
    places = [place for place in range(1, len(entries) + 1) if low <= place <= high]
    built = attention.energy
    energies = built.energies(query.view(1, 1, -1), built.keys(entries.unsqueeze(0)))[0, 0]
    exponentials = {place: energies[place - 1].exp() for place in places}
    total = sum(exponentials.values())
    return {place: value / total for place, value in exponentials.items()}


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("half_width", [1, 2])
def test_local_m_is_a_softmax_around_the_position_of_the_step(energy, half_width):
    attention = LocalMonotonicAttention(**SIZES, energy=ENERGIES[energy], half_width=half_width).double()
    source, query = encoded(), queries()
    contexts, weights = unroll(attention, query, source)
    assert_weights(weights, source)
    for row, length in enumerate(LENGTHS.tolist()):
        entries = source.memory[row, :length]
        for step in range(STEPS):
            center = min(step + 1, length)
            within = softmax_within(attention, query[row, step], entries, center - half_width, center + half_width)
            expected = torch.zeros(SOURCE_LEN, dtype=torch.float64)
            for place, weight in within.items():
                expected[place - 1] = weight
            torch.testing.assert_close(weights[row, step], expected)
            assert weights[row, step].count_nonzero() == len(within)
            torch.testing.assert_close(contexts[row, step], expected[:length] @ entries)


@pytest.mark.parametrize("renormalise", [False, True])
@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("half_width", [1, 2])
def test_local_p_is_a_softmax_times_a_gaussian_around_a_predicted_position(energy, half_width, renormalise):
    attention = LocalPredictiveAttention(
        **SIZES, energy=ENERGIES[energy], half_width=half_width, renormalise=renormalise
    ).double()
    source, query = encoded(), 4.0 * queries()
    contexts, weights = attention(query, attention.prepare(source))
    w_p, v_p = attention.position_projection.weight, attention.position_direction.weight[0]
    for row, length in enumerate(LENGTHS.tolist()):
        entries = source.memory[row, :length]
        for step in range(STEPS):
            center = length * torch.sigmoid(v_p @ torch.tanh(w_p @ query[row, step])).item()
            within = softmax_within(attention, query[row, step], entries, center - half_width, center + half_width)
            expected = torch.zeros(SOURCE_LEN, dtype=torch.float64)
            for place, weight in within.items():
                expected[place - 1] = weight * math.exp(-((place - center) ** 2) / (2 * (half_width / 2) ** 2))
            assert expected.sum() <= 1 and weights[row, step].count_nonzero() == len(within)
            expected = expected / expected.sum() if renormalise else expected
            torch.testing.assert_close(weights[row, step], expected)
            torch.testing.assert_close(contexts[row, step], expected[:length] @ entries)
    if renormalise:
        assert_weights(weights, source)


def test_a_window_as_wide_as_the_source_makes_local_m_global():
    attention = LocalMonotonicAttention(**SIZES, energy=GeneralAttention, half_width=SOURCE_LEN).double()
    source, query = encoded(), queries()
    everywhere = attention.energy(query, attention.energy.prepare(source))
    for mine, expected in zip(unroll(attention, query, source), everywhere, strict=True):
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize("half_width", [2, 10**9])
def test_the_prediction_learns_through_the_gaussian_alone(half_width):
    """So wide a Gaussian is 1 everywhere, and leaves the prediction without a gradient."""
    attention = LocalPredictiveAttention(**SIZES, energy=GeneralAttention, half_width=half_width).double()
    source, query = encoded(), queries()
    contexts, _ = attention(query, attention.prepare(source))
    contexts.square().sum().backward()
    for parameter in (attention.position_projection.weight, attention.position_direction.weight):
        assert (parameter.grad.abs().max() > 1e-12) == (half_width == 2)


INNER = {
    "additive": AdditiveAttention,
    "concat": ConcatAttention,
    "concat twice": partial(ConcatAttention, normalise_twice=True),
    "linear": partial(ConcatAttention, linear=True),
    "location": partial(LocationAttention, max_length=3),
    "sparsemax": partial(GeneralAttention, normalizer=SparsemaxNormalizer()),
}


@pytest.mark.parametrize("energy", INNER)
@pytest.mark.parametrize("variant", [LocalMonotonicAttention, LocalPredictiveAttention])
def test_nothing_outside_the_window_is_seen_whatever_the_energy(variant, energy):
    """Also where the energy ends before the source does, and where weights are normalised twice."""
    attention = variant(**SIZES, energy=INNER[energy], half_width=1).double()
    source, query = encoded(), 4.0 * queries()
    _, weights = unroll(attention, query, source)
    assert_weights(weights, source)
    ends = LENGTHS.clamp(max=3) if energy == "location" else LENGTHS
    if variant is LocalPredictiveAttention:
        centers = attention.centers(query, ends.unsqueeze(1).double())
    else:
        centers = torch.arange(1, STEPS + 1).minimum(ends.unsqueeze(1))
    places = torch.arange(1, SOURCE_LEN + 1)
    outside = (places - centers.unsqueeze(2)).abs() > 1
    assert weights[outside].eq(0).all() and outside.any()
    if energy == "location":
        assert weights[:, :, 3:].eq(0).all()


@pytest.mark.parametrize(
    "variant", [partial(LocalPredictiveAttention, half_width=9), partial(LocalMonotonicAttention, half_width=1)]
)
def test_gradients_pass_gradcheck(variant):
    attention, source = variant(**SIZES, energy=GeneralAttention).double(), encoded()
    memory, query = source.memory.requires_grad_(), queries(2).requires_grad_()

    def attend(memory, query):
        return unroll(attention, query, source._replace(memory=memory))

    assert torch.autograd.gradcheck(attend, (memory, query))


@pytest.mark.parametrize("variant", [LocalMonotonicAttention, LocalPredictiveAttention])
def test_a_local_attention_aligns_with_its_normalizer(variant):
    attention = variant(**SIZES, energy=GeneralAttention, normalizer=SparsemaxNormalizer(temperature=0.1)).double()
    source = encoded()
    _, weights = unroll(attention, queries(), source)
    assert_weights(weights, source)
    assert weights[0].eq(0).any(), "sparsemax of sharp energies leaves positions out"


@pytest.mark.parametrize("variant", [LocalMonotonicAttention, LocalPredictiveAttention])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"half_width": 0}, r"attention\.half_width is 0, expected a whole number above 0"),
        ({"energy": NoAttention}, r"attention\.energy is NoAttention, expected an attention whose energies say all"),
        ({"energy": CoverageAttention}, r"attention\.energy is CoverageAttention, expected"),
        ({"energy": "dot"}, r"attention\.energy is 'dot', expected"),
        ({"energy": dict}, r"attention\.energy is dict, expected"),
    ],
)
def test_impossible_options_are_refused(variant, options, message):
    with pytest.raises(RequestError, match=message):
        variant(**{**SIZES, "energy": GeneralAttention, **options})


def test_the_counter_of_local_m_is_one_number_for_each_row():
    attention, source = LocalMonotonicAttention(**SIZES, energy=GeneralAttention).double(), encoded()
    prepared = attention.prepare(source)
    state = attention.initial_state(prepared)
    for step in range(3):
        assert [part.tolist() for part in state] == [[float(step)] * BATCH]
        _, _, state = attention.step(queries(1)[:, 0], prepared, state)
