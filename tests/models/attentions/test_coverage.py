"""Coverage equals the equations of Tu et al. and See et al., step by step."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.coverage import CoverageAttention
from s2s_lab.models.attentions.coverage_neural import NeuralCoverageAttention
from tests.models.attentions.sources import BATCH, LENGTHS, SIZES, STEPS, assert_weights, encoded, queries, unroll


def energy(attention, query, entry, feature):
    memory, bias = attention.memory_projection.weight @ entry, attention.memory_projection.bias
    total = attention.query_projection.weight @ query + memory + attention.feature_projection.weight @ feature
    return attention.energy_projection.weight[0] @ torch.tanh(total if bias is None else total + bias)


@pytest.mark.parametrize("fertility", [None, 2.0])
@pytest.mark.parametrize("bias", [False, True])
def test_coverage_is_the_sum_of_weights_over_the_fertility(fertility, bias):
    attention = CoverageAttention(**SIZES, fertility=fertility, bias=bias, attention_size=7).double()
    source, query = encoded(), queries()
    contexts, weights = unroll(attention, query, source)
    assert_weights(weights, source)
    for row, length in enumerate(LENGTHS.tolist()):
        entries, covered = source.memory[row, :length], torch.zeros(length, dtype=torch.float64)
        phi = torch.ones(length, dtype=torch.float64)
        if fertility is not None:
            phi = fertility * torch.sigmoid(entries @ attention.fertility_projection.weight[0])
        for step in range(STEPS):
            exponentials = torch.stack(
                [energy(attention, query[row, step], entry, covered[[j]]).exp() for j, entry in enumerate(entries)]
            )
            alpha = exponentials / exponentials.sum()
            torch.testing.assert_close(weights[row, step, :length], alpha)
            torch.testing.assert_close(contexts[row, step], alpha @ entries)
            covered = covered + alpha / phi


def test_what_is_kept_is_the_sum_of_all_weights_before():
    attention, source = CoverageAttention(**SIZES).double(), encoded()
    prepared = attention.prepare(source)
    state, total = attention.initial_state(prepared), torch.zeros(source.memory_mask.shape, dtype=torch.float64)
    for query in queries().unbind(1):
        torch.testing.assert_close(state[0], total)
        _, weights, state = attention.step(query, prepared, state)
        total = total + weights
    torch.testing.assert_close(state[0].sum(1), torch.full((BATCH,), float(STEPS), dtype=torch.float64))


def gru(attention, alpha, entry, query, covered):
    """Equations 5 to 8 of Cho et al. 2014: r, z, then the candidate with U (r c)."""
    total = attention.gates_of_weight.weight[:, 0] * alpha + attention.gates_of_memory.weight @ entry
    total = total + attention.gates_of_memory.bias + attention.gates_of_query.weight @ query
    x_r, x_z, x_n = total.chunk(3)
    u_r, u_z = attention.gates_of_coverage.weight.chunk(2)
    r, z = torch.sigmoid(x_r + u_r @ covered), torch.sigmoid(x_z + u_z @ covered)
    candidate = torch.tanh(x_n + attention.candidate_of_coverage.weight @ (r * covered))
    return (1 - z) * covered + z * candidate


def test_neural_coverage_is_a_gated_unit_for_each_position():
    attention = NeuralCoverageAttention(**SIZES, coverage_size=3, attention_size=7).double()
    source, query = encoded(), queries()
    contexts, weights = unroll(attention, query, source)
    assert_weights(weights, source)
    for row, length in enumerate(LENGTHS.tolist()):
        entries = source.memory[row, :length]
        covered = [torch.zeros(3, dtype=torch.float64) for _ in entries]
        for step in range(STEPS):
            given = query[row, step]
            exponentials = torch.stack(
                [
                    energy(attention, given, entry, feature).exp()
                    for entry, feature in zip(entries, covered, strict=True)
                ]
            )
            alpha = exponentials / exponentials.sum()
            torch.testing.assert_close(weights[row, step, :length], alpha)
            torch.testing.assert_close(contexts[row, step], alpha @ entries)
            covered = [gru(attention, alpha[j], entries[j], given, covered[j]) for j in range(length)]


@pytest.mark.parametrize("variant", [CoverageAttention, NeuralCoverageAttention])
def test_the_first_steps_energies_are_those_without_coverage(variant):
    attention, source, query = variant(**SIZES).double(), encoded(), queries(1)
    prepared = attention.prepare(source)
    expected = attention.weigh(attention.energies(query, prepared[0]), source.memory_mask)
    torch.testing.assert_close(unroll(attention, query, source)[1], expected)
    several = queries(3)
    torch.testing.assert_close(attention(several, prepared), unroll(attention, several, source))


@pytest.mark.parametrize("options", [{}, {"fertility": 2.0, "bias": False}])
def test_gradients_of_coverage_pass_gradcheck(options):
    attention, source = CoverageAttention(**SIZES, **options).double(), encoded()
    check(attention, source)


def test_gradients_of_neural_coverage_pass_gradcheck():
    check(NeuralCoverageAttention(**SIZES, coverage_size=2, attention_size=2).double(), encoded())


def check(attention, source):
    memory, query = source.memory.requires_grad_(), queries(2).requires_grad_()
    parameters = tuple(attention.parameters())

    def attend(memory, query, *_):
        return unroll(attention, query, source._replace(memory=memory))

    assert torch.autograd.gradcheck(attend, (memory, query, *parameters))


@pytest.mark.parametrize("variant", [CoverageAttention, NeuralCoverageAttention])
def test_hypotheses_share_the_memory_and_keep_coverage_of_their_own(variant):
    attention, source, width = variant(**SIZES).double(), encoded(), 3
    prepared = attention.prepare(source)
    state = tuple(torch.rand(BATCH * width, *part.shape[1:]).double() for part in attention.initial_state(prepared))
    query = torch.randn(BATCH * width, 4, dtype=torch.float64)
    together = attention.step(query, prepared, state)
    for index in range(width):
        alone = attention.step(query[index::width], prepared, tuple(part[index::width] for part in state))
        torch.testing.assert_close(alone[:2], (together[0][index::width], together[1][index::width]))
        torch.testing.assert_close(alone[2][0], together[2][0][index::width])


@pytest.mark.parametrize(
    ("variant", "options", "message"),
    [
        (CoverageAttention, {"fertility": 0.0}, r"attention\.fertility is 0\.0, expected a number above 0, or null"),
        (CoverageAttention, {"attention_size": 0}, r"attention\.attention_size is 0"),
        (NeuralCoverageAttention, {"coverage_size": 0}, r"attention\.coverage_size is 0, expected a whole number"),
    ],
)
def test_impossible_options_are_refused(variant, options, message):
    with pytest.raises(RequestError, match=message):
        variant(**SIZES, **options)
