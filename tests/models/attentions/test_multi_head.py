"""Multi-head attention equals torch's own, and a plain loop over heads for other energies."""

from functools import partial

import pytest
import torch
from torch import nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.attentions.concat import ConcatAttention
from s2s_lab.models.attentions.coverage import CoverageAttention
from s2s_lab.models.attentions.coverage_neural import NeuralCoverageAttention
from s2s_lab.models.attentions.dot import DotAttention
from s2s_lab.models.attentions.general import GeneralAttention
from s2s_lab.models.attentions.local_m import LocalMonotonicAttention
from s2s_lab.models.attentions.local_p import LocalPredictiveAttention
from s2s_lab.models.attentions.location_aware import LocationAwareAttention
from s2s_lab.models.attentions.monotonic import MonotonicAttention
from s2s_lab.models.attentions.multi_head import MultiHeadAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.attentions.normalizers.sparsemax import SparsemaxNormalizer
from s2s_lab.models.attentions.scaled_dot import ScaledDotAttention
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.nested import repeat_rows
from tests.models.attentions.sources import LENGTHS, SOURCE_LEN, assert_weights, encoded, queries, unroll

QUERY, MEMORY, HEADS = 6, 4, 3
SIZES = {"query_size": QUERY, "memory_size": MEMORY, "summary_size": 3}


def test_it_equals_torchs_multihead_attention():
    attention = MultiHeadAttention(query_size=6, memory_size=6, summary_size=3, energy=ScaledDotAttention, num_heads=3)
    reference = nn.MultiheadAttention(6, 3, bias=False, batch_first=True)
    projections = (attention.query_projection, attention.key_projection, attention.value_projection)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([projection.weight for projection in projections]))
        reference.out_proj.weight.copy_(attention.output_projection.weight)
    attention, reference, source, query = (
        attention.double(),
        reference.double(),
        encoded(memory_size=6),
        queries(size=6),
    )
    contexts, weights = attention(query, attention.prepare(source))
    memory = source.memory
    expected, mean = reference(query, memory, memory, key_padding_mask=~source.memory_mask)
    torch.testing.assert_close(contexts, expected)
    torch.testing.assert_close(weights, mean)
    assert_weights(weights, source)


@pytest.mark.parametrize(
    "energy", [DotAttention, ScaledDotAttention, GeneralAttention, AdditiveAttention, ConcatAttention]
)
@pytest.mark.parametrize(("head_size", "size"), [(None, 2), (5, 5)])
def test_each_head_is_an_attention_over_its_own_projections(energy, head_size, size):
    attention = MultiHeadAttention(**SIZES, energy=energy, num_heads=HEADS, head_size=head_size).double()
    source, query = encoded(), queries(size=QUERY)
    contexts, weights = attention(query, attention.prepare(source))
    parts = [
        projection.weight.split(size)
        for projection in (attention.query_projection, attention.key_projection, attention.value_projection)
    ]
    of_heads, all_weights = [], []
    for w_q, w_k, w_v in zip(*parts, strict=True):
        prepared = attention.energy.prepare(
            EncoderOutput(source.memory @ w_k.T, source.memory_mask, (), source.summary)
        )
        _, of_head = attention.energy(query @ w_q.T, prepared)
        of_heads.append(of_head @ (source.memory @ w_v.T))
        all_weights.append(of_head)
    torch.testing.assert_close(contexts, torch.cat(of_heads, 2) @ attention.output_projection.weight.T)
    torch.testing.assert_close(weights, torch.stack(all_weights).mean(0))
    assert_weights(weights, source)


WHOLE = {
    "coverage": CoverageAttention,
    "linguistic": partial(CoverageAttention, fertility=2.0),
    "neural": partial(NeuralCoverageAttention, coverage_size=3),
    "location_aware": partial(LocationAwareAttention, num_filters=2, kernel_size=3),
    "local_m": partial(LocalMonotonicAttention, energy=DotAttention, half_width=1),
    "local_p": partial(LocalPredictiveAttention, energy=GeneralAttention, half_width=2),
    "monotonic": partial(MonotonicAttention, noise=0.0),
}


@pytest.mark.parametrize("head", WHOLE)
def test_a_head_may_be_any_attention_with_its_own_course(head):
    attention = MultiHeadAttention(**SIZES, energy=WHOLE[head], num_heads=HEADS).double()
    source, query, size = encoded(), queries(size=QUERY), QUERY // HEADS
    w_q, w_k, w_v = (
        projection.weight.split(size)
        for projection in (attention.query_projection, attention.key_projection, attention.value_projection)
    )
    of_heads, all_weights = [], []
    for place in range(HEADS):
        keys = EncoderOutput(source.memory @ w_k[place].T, source.memory_mask, (), source.summary)
        _, weights = unroll(attention.energy, query @ w_q[place].T, keys)
        of_heads.append(weights @ (source.memory @ w_v[place].T))
        all_weights.append(weights)
    expected = torch.cat(of_heads, 2) @ attention.output_projection.weight.T, torch.stack(all_weights).mean(0)
    for found in (attention(query, attention.prepare(source)), unroll(attention, query, source)):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("head", WHOLE)
def test_hypotheses_of_a_sentence_keep_each_their_own_course(head):
    attention, source, width = MultiHeadAttention(**SIZES, energy=WHOLE[head], num_heads=2).double(), encoded(), 3
    courses = [queries(4, QUERY) for _ in range(width)]
    expected = [unroll(attention, query, source) for query in courses]
    prepared = attention.prepare(source)
    state = repeat_rows(attention.initial_state(prepared), width)
    for step in range(4):
        rows = torch.stack([query[:, step] for query in courses], 1).flatten(0, 1)
        contexts, weights, state = attention.step(rows, prepared, state)
        for place, (whole, whole_weights) in enumerate(expected):
            torch.testing.assert_close(contexts[place::width], whole[:, step])
            torch.testing.assert_close(weights[place::width], whole_weights[:, step])


def test_the_normalizer_is_that_of_every_head():
    attention = MultiHeadAttention(
        **SIZES, energy=GeneralAttention, num_heads=2, normalizer=SparsemaxNormalizer(temperature=1e-6)
    ).double()
    source, query = encoded(), queries(size=QUERY)
    _, weights = attention(query, attention.prepare(source))
    assert_weights(weights, source)
    # So sharp that each head looks at one position: the mean shows halves and wholes.
    assert set(weights.flatten().tolist()) <= {0.0, 0.5, 1.0}


def test_gradients_pass_gradcheck():
    attention, source = MultiHeadAttention(**SIZES, energy=AdditiveAttention, num_heads=2).double(), encoded()
    memory, query = source.memory.requires_grad_(), queries(2, QUERY).requires_grad_()

    def attend(memory, query):
        return attention(query, attention.prepare(source._replace(memory=memory)))

    assert torch.autograd.gradcheck(attend, (memory, query))


@pytest.mark.parametrize("width", [1, 4])
def test_a_step_keeps_one_memory_for_all_hypotheses(width):
    attention, source = MultiHeadAttention(**SIZES, energy=ScaledDotAttention, num_heads=2).double(), encoded()
    prepared, query = attention.prepare(source), queries(width, QUERY)
    assert [part.shape[0] for part in prepared] == [len(LENGTHS)] * 3
    assert prepared[0].shape == (len(LENGTHS), 2, SOURCE_LEN, QUERY // 2)
    contexts, weights, _ = attention.step(query.flatten(0, 1), prepared, ())
    expected = attention(query, prepared)
    torch.testing.assert_close((contexts, weights), tuple(part.flatten(0, 1) for part in expected))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": 4}, r"attention\.num_heads is 4, expected a divisor of decoder\.hidden_size, 6"),
        ({"num_heads": 0}, r"attention\.num_heads is 0, expected a whole number above 0"),
        ({"head_size": 0}, r"attention\.head_size is 0, expected a whole number above 0"),
        ({"energy": NoAttention}, r"attention\.energy is NoAttention, expected an attention that sums a memory"),
        (
            {"energy": partial(MultiHeadAttention, energy=DotAttention, num_heads=1)},
            r"attention\.energy is MultiHeadAttention, expected an attention that sums a memory",
        ),
        (
            {"energy": MonotonicAttention, "normalizer": SparsemaxNormalizer()},
            r"attention\.normalizer is set, but attention\.energy, MonotonicAttention, has none",
        ),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        MultiHeadAttention(**{**SIZES, "energy": GeneralAttention, "num_heads": 2, **options})
