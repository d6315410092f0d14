"""Attentions equal plain loops over their papers' energies."""

import math

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.attentions.dot import DotAttention
from s2s_lab.models.attentions.general import GeneralAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.encoders.base import EncoderOutput

SIZES = {"query_size": 4, "memory_size": 4, "summary_size": 3}
BATCH, QUERIES, SOURCE_LEN = 3, 2, 5
LENGTHS = torch.tensor([5, 1, 3])
VARIANTS = [AdditiveAttention, DotAttention, GeneralAttention]


def encoded(dtype=torch.float64) -> EncoderOutput:
    mask = torch.arange(SOURCE_LEN) < LENGTHS.unsqueeze(1)
    memory = torch.randn(BATCH, SOURCE_LEN, 4, dtype=dtype) * mask.unsqueeze(2)
    return EncoderOutput(memory, mask, (), torch.randn(BATCH, 3, dtype=dtype))


def additive(attention, query, entry):
    total = attention.query_projection.weight @ query + attention.memory_projection.weight @ entry
    return attention.energy_projection.weight[0] @ torch.tanh(total)


def dot(attention, query, entry):
    return query @ entry


def general(attention, query, entry):
    return query @ attention.memory_projection.weight @ entry


@pytest.mark.parametrize(
    ("variant", "energy"), [(AdditiveAttention, additive), (DotAttention, dot), (GeneralAttention, general)]
)
def test_attention_equals_a_plain_loop(variant, energy):
    attention = variant(**SIZES).double()
    source, query = encoded(), torch.randn(BATCH, QUERIES, 4, dtype=torch.float64)
    contexts, weights = attention(query, attention.prepare(source))
    for row, length in enumerate(LENGTHS.tolist()):
        for index in range(QUERIES):
            exponentials = [
                math.exp(energy(attention, query[row, index], source.memory[row, position]).item())
                for position in range(length)
            ]
            expected = [value / sum(exponentials) for value in exponentials] + [0.0] * (SOURCE_LEN - length)
            torch.testing.assert_close(weights[row, index], torch.tensor(expected, dtype=torch.float64))
            context = sum(weight * source.memory[row, position] for position, weight in enumerate(expected))
            torch.testing.assert_close(contexts[row, index], context)


@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_weighs_exactly_nothing_and_rows_sum_to_one(variant):
    attention, source = variant(**SIZES), encoded(torch.float32)
    _, weights = attention(1e3 * torch.randn(BATCH, QUERIES, 4), attention.prepare(source))
    assert weights.masked_select(~source.memory_mask.unsqueeze(1)).eq(0).all()
    torch.testing.assert_close(weights.sum(2), torch.ones(BATCH, QUERIES))


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_lies_in_padding_changes_nothing(variant):
    attention, source = variant(**SIZES), encoded(torch.float32)
    query = torch.randn(BATCH, QUERIES, 4)
    noisy = source.memory + 1e6 * (~source.memory_mask).unsqueeze(2)
    expected = attention(query, attention.prepare(source))
    assert torch.equal(attention(query, attention.prepare(source._replace(memory=noisy)))[1], expected[1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_pass_gradcheck(variant):
    attention = variant(**SIZES).double()
    source = encoded()
    memory, query = source.memory.requires_grad_(), torch.randn(BATCH, QUERIES, 4).double().requires_grad_()

    def attend(memory, query):
        return attention(query, attention.prepare(source._replace(memory=memory)))

    assert torch.autograd.gradcheck(attend, (memory, query))


def test_no_attention_gives_the_summary_to_every_query():
    attention, source = NoAttention(**SIZES), encoded()
    contexts, weights = attention(torch.randn(BATCH, QUERIES, 4), attention.prepare(source))
    assert weights is None and attention.context_size == 3
    torch.testing.assert_close(contexts, source.summary.unsqueeze(1).expand(-1, QUERIES, -1))


def test_empty_context_has_no_width():
    attention, source = NoAttention(**SIZES, context="empty"), encoded()
    contexts, weights = attention(torch.randn(BATCH, QUERIES, 4), attention.prepare(source))
    assert weights is None and attention.context_size == 0
    assert contexts.shape == (BATCH, QUERIES, 0)


def test_additive_attention_size_is_the_querys_unless_given():
    assert AdditiveAttention(**SIZES).energy_projection.in_features == 4
    assert AdditiveAttention(**SIZES, attention_size=7).energy_projection.in_features == 7


def test_impossible_options_are_refused():
    with pytest.raises(RequestError, match=r"decoder\.hidden_size is 6 and the encoder's memory 4 wide"):
        DotAttention(query_size=6, memory_size=4, summary_size=4)
    with pytest.raises(RequestError, match=r"attention\.context is 'mean', expected one of summary, empty"):
        NoAttention(**SIZES, context="mean")
    with pytest.raises(RequestError, match=r"attention\.attention_size is 0, expected a whole number above 0"):
        AdditiveAttention(**SIZES, attention_size=0)
