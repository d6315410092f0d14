"""Location-aware attention equals equations 8 and 9 of Chorowski et al., step by step."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.location_aware import LocationAwareAttention
from s2s_lab.models.attentions.normalizers.sigmoid import SigmoidNormalizer
from tests.models.attentions.sources import LENGTHS, SIZES, SOURCE_LEN, STEPS, assert_weights, encoded, queries, unroll


def convolved(filters, weights, position):
    """f_j = sum over k of F_k weights_{j + k - middle}, 0 beyond both ends."""
    middle = filters.shape[2] // 2
    total = torch.zeros(filters.shape[0], dtype=torch.float64)
    for k in range(filters.shape[2]):
        if 0 <= position + k - middle < len(weights):
            total = total + filters[:, 0, k] * weights[position + k - middle]
    return total


@pytest.mark.parametrize("kernel_size", [1, 3, 11])
@pytest.mark.parametrize("smooth", [False, True])
def test_energies_read_a_convolution_of_the_weights_before(kernel_size, smooth):
    attention = LocationAwareAttention(
        **SIZES,
        attention_size=7,
        num_filters=2,
        kernel_size=kernel_size,
        normalizer=SigmoidNormalizer() if smooth else None,
    ).double()
    source, query = encoded(), queries()
    contexts, weights = unroll(attention, query, source)
    assert_weights(weights, source)
    w, u = attention.query_projection.weight, attention.memory_projection.weight
    p, v, b = (
        attention.feature_projection.weight,
        attention.energy_projection.weight[0],
        attention.memory_projection.bias,
    )
    for row, length in enumerate(LENGTHS.tolist()):
        entries, before = source.memory[row, :length], torch.zeros(length, dtype=torch.float64)
        for step in range(STEPS):
            features = [convolved(attention.filters.weight, before, place) for place in range(length)]
            energies = torch.stack(
                [
                    v @ torch.tanh(w @ query[row, step] + u @ entry + p @ feature + b)
                    for entry, feature in zip(entries, features, strict=True)
                ]
            )
            values = torch.sigmoid(energies) if smooth else energies.exp()
            before = values / values.sum()
            torch.testing.assert_close(weights[row, step, :length], before)
            torch.testing.assert_close(contexts[row, step], before @ entries)


def test_gradients_pass_gradcheck():
    attention, source = (
        LocationAwareAttention(**SIZES, num_filters=2, kernel_size=3, attention_size=2).double(),
        encoded(),
    )
    memory, query = source.memory.requires_grad_(), queries(2).requires_grad_()

    def attend(memory, query, *_):
        return unroll(attention, query, source._replace(memory=memory))

    assert torch.autograd.gradcheck(attend, (memory, query, *attention.parameters()))


def test_the_weights_of_a_step_are_all_that_the_next_one_needs():
    attention, source = LocationAwareAttention(**SIZES, kernel_size=3).double(), encoded()
    prepared = attention.prepare(source)
    state = attention.initial_state(prepared)
    assert [part.shape for part in state] == [(len(LENGTHS), SOURCE_LEN)] and state[0].eq(0).all()
    _, weights, following = attention.step(queries(1)[:, 0], prepared, state)
    assert torch.equal(following[0], weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 4}, r"attention\.kernel_size is 4, expected an odd number"),
        ({"kernel_size": 0}, r"attention\.kernel_size is 0, expected a whole number above 0"),
        ({"num_filters": 0}, r"attention\.num_filters is 0, expected a whole number above 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        LocationAwareAttention(**SIZES, **options)
