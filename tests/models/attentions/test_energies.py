"""Energies that need nothing but query and memory equal their papers' equations, entry by entry."""

import math

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive_weight_norm import WeightNormalisedAdditiveAttention
from s2s_lab.models.attentions.concat import ConcatAttention
from s2s_lab.models.attentions.location import LocationAttention
from s2s_lab.models.attentions.normalizers.entmax import EntmaxNormalizer
from s2s_lab.models.attentions.normalizers.sparsemax import SparsemaxNormalizer
from s2s_lab.models.attentions.scaled_dot import ScaledDotAttention
from tests.models.attentions.sources import BATCH, LENGTHS, SIZES, SOURCE_LEN, STEPS, assert_weights, encoded, queries


def scaled_dot(attention, query, entry, position):
    return query @ entry / math.sqrt(4)


def joined(attention):
    return torch.cat((attention.query_projection.weight, attention.memory_projection.weight), 1)


def concat(attention, query, entry, position):
    hidden = torch.tanh(joined(attention) @ torch.cat((query, entry)))
    return attention.inverse_temperature * attention.energy_projection.weight[0] @ hidden


def concat_linear(attention, query, entry, position):
    return attention.inverse_temperature * joined(attention)[0] @ torch.cat((query, entry))


def weight_norm(attention, query, entry, position):
    total = attention.query_projection.weight @ query + attention.memory_projection.weight @ entry
    v = attention.energy_projection.weight[0]
    return attention.gain[0] * v / v.norm() @ torch.tanh(total + attention.memory_projection.bias)


def location(attention, query, entry, position):
    return attention.energy_projection.weight[position] @ query


CASES = [
    (ScaledDotAttention, {}, scaled_dot),
    (ConcatAttention, {}, concat),
    (ConcatAttention, {"inverse_temperature": 2.5, "attention_size": 7}, concat),
    (ConcatAttention, {"linear": True, "inverse_temperature": 0.5}, concat_linear),
    (WeightNormalisedAdditiveAttention, {"attention_size": 7}, weight_norm),
    (LocationAttention, {"max_length": 8}, location),
    (LocationAttention, {"max_length": SOURCE_LEN}, location),
]


@pytest.mark.parametrize(("variant", "options", "energy"), CASES)
def test_weights_and_contexts_equal_a_plain_loop(variant, options, energy):
    attention, source, query = variant(**SIZES, **options).double(), encoded(), queries()
    contexts, weights = attention(query, attention.prepare(source))
    assert_weights(weights, source)
    for row, length in enumerate(LENGTHS.tolist()):
        for step in range(STEPS):
            entries = source.memory[row, :length]
            exponentials = torch.stack(
                [energy(attention, query[row, step], entry, place).exp() for place, entry in enumerate(entries)]
            )
            expected = exponentials / exponentials.sum()
            torch.testing.assert_close(weights[row, step, :length], expected)
            torch.testing.assert_close(contexts[row, step], expected @ entries)


@pytest.mark.parametrize(("variant", "options", "energy"), CASES)
def test_gradients_pass_gradcheck(variant, options, energy):
    attention, source, query = variant(**SIZES, **options).double(), encoded(), queries(2).requires_grad_()
    memory = source.memory.requires_grad_()

    def attend(memory, query):
        return attention(query, attention.prepare(source._replace(memory=memory)))

    assert torch.autograd.gradcheck(attend, (memory, query))


@pytest.mark.parametrize("normalizer", [None, SparsemaxNormalizer(), EntmaxNormalizer()])
def test_the_bare_linear_form_cannot_depend_on_the_query(normalizer):
    attention = ConcatAttention(**SIZES, linear=True, normalizer=normalizer).double()
    source, query = encoded(), queries()
    weights = attention(query, attention.prepare(source))[1]
    other = attention(10.0 * queries(), attention.prepare(source))[1]
    torch.testing.assert_close(weights, other)
    torch.testing.assert_close(weights, weights[:, :1].expand_as(weights))
    bent = ConcatAttention(**SIZES, normalizer=normalizer).double()
    assert not torch.allclose(*(bent(part, bent.prepare(source))[1] for part in (query, queries())))


def test_what_is_normalised_twice_is_the_softmax_of_weights_and_flat():
    once = ConcatAttention(**SIZES, inverse_temperature=50.0).double()
    twice = ConcatAttention(**SIZES, inverse_temperature=50.0, normalise_twice=True).double()
    twice.load_state_dict(once.state_dict())
    source, query = encoded(), queries()
    first = once(query, once.prepare(source))[1]
    second = twice(query, twice.prepare(source))[1]
    assert_weights(second, source)
    exponentials = first.exp() * source.memory_mask.unsqueeze(1)
    torch.testing.assert_close(second, exponentials / exponentials.sum(2, keepdim=True))
    real = second[0]  # the source without padding
    assert (real.amax(1) / real.amin(1)).max() <= math.e < (first[0].amax(1) / first[0].amin(1)).max()


def test_location_attends_to_the_first_positions_of_a_longer_source():
    attention, source, query = LocationAttention(**SIZES, max_length=2).double(), encoded(), queries()
    weights = attention(query, attention.prepare(source))[1]
    assert_weights(weights, source)
    assert weights[:, :, 2:].eq(0).all()
    cut = source._replace(memory=source.memory[:, :2], memory_mask=source.memory_mask[:, :2])
    torch.testing.assert_close(attention(query, attention.prepare(cut))[1], weights[:, :, :2])


def test_the_length_of_the_direction_is_a_parameter_of_its_own():
    attention, source, query = WeightNormalisedAdditiveAttention(**SIZES).double(), encoded(), queries()
    assert attention.gain.item() == pytest.approx(1 / math.sqrt(4))
    before = attention(query, attention.prepare(source))[1]
    with torch.no_grad():
        attention.energy_projection.weight *= 7.0
    torch.testing.assert_close(attention(query, attention.prepare(source))[1], before)
    with torch.no_grad():
        attention.gain.zero_()
    uniform = source.memory_mask.double() / source.memory_mask.sum(1, keepdim=True)
    torch.testing.assert_close(attention(query, attention.prepare(source))[1], uniform.unsqueeze(1).expand_as(before))
    attention.initialize_biases()
    assert attention.gain.item() == pytest.approx(1 / math.sqrt(4)) and before.shape[0] == BATCH


@pytest.mark.parametrize(
    ("variant", "options", "message"),
    [
        (ScaledDotAttention, {"query_size": 6}, r"attention=scaled_dot needs equal widths, .* is 6 .* 4 wide"),
        (ConcatAttention, {"inverse_temperature": 0.0}, r"attention\.inverse_temperature is 0\.0, expected a number"),
        (ConcatAttention, {"attention_size": 0}, r"attention\.attention_size is 0, expected a whole number"),
        (LocationAttention, {"max_length": 0}, r"attention\.max_length is 0, expected a whole number above 0"),
        (WeightNormalisedAdditiveAttention, {"attention_size": -1}, r"attention\.attention_size is -1"),
    ],
)
def test_impossible_options_are_refused(variant, options, message):
    with pytest.raises(RequestError, match=message):
        variant(**{**SIZES, **options})
