"""Monotonic attention equals what Raffel et al. define: an expectation over all alignments that go forwards."""

import itertools
import math

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.monotonic import MonotonicAttention, linear_recurrence
from s2s_lab.models.initialization.glorot_orthogonal import GlorotOrthogonalInitialization
from tests.models.attentions.sources import BATCH, LENGTHS, SIZES, STEPS, assert_weights, encoded, queries, unroll


def built(**options) -> MonotonicAttention:
    return MonotonicAttention(**SIZES, **{"noise": 0.0, "attention_size": 7, **options}).double()


def energies(attention, query, entries):
    w, u = attention.query_projection.weight, attention.memory_projection.weight
    v, b = attention.energy_projection.weight[0], attention.memory_projection.bias
    hidden = torch.tanh(w @ query + entries @ u.T + b)
    return attention.gain[0] * hidden @ (v / v.norm()) + attention.offset[0]


def by_all_alignments(stops: torch.Tensor) -> torch.Tensor:
    """The chance that step i stops at j, summed over every forward alignment of probabilities (steps, length)."""
    steps, length = stops.shape
    weights = torch.zeros_like(stops)
    for alignment in itertools.combinations_with_replacement(range(length), steps):
        chance, start = torch.ones((), dtype=stops.dtype), 0
        for step, place in enumerate(alignment):
            chance = chance * (1 - stops[step, start:place]).prod() * stops[step, place]
            start = place
        for step, place in enumerate(alignment):
            weights[step, place] += chance
    return weights


def test_weights_are_the_expectation_over_all_forward_alignments():
    attention, source, query = built(hard=False, first_offset=0.3), encoded(), 3.0 * queries(4)
    contexts, weights = unroll(attention, query, source)
    assert_weights(weights, source)
    for row, length in enumerate(LENGTHS.tolist()):
        entries = source.memory[row, :length]
        stops = torch.sigmoid(torch.stack([energies(attention, one, entries) for one in query[row]]))
        stops[:, -1] = 1.0  # what passes the last position stops there
        expected = by_all_alignments(stops)
        torch.testing.assert_close(weights[row, :, :length], expected)
        torch.testing.assert_close(contexts[row], expected @ entries)


def test_a_temperature_divides_the_energies_and_changes_no_hard_stop():
    source, query = encoded(), 3.0 * queries(4)
    warm, plain = built(hard=False, temperature=0.25, first_offset=0.3), built(hard=False, first_offset=0.3)
    plain.load_state_dict(warm.state_dict())
    with torch.no_grad():
        plain.gain /= 0.25
        plain.offset /= 0.25
    torch.testing.assert_close(unroll(warm, query, source), unroll(plain, query, source))
    for attention in (warm, plain):
        attention.hard = True
        attention.eval()
    torch.testing.assert_close(unroll(warm, query, source), unroll(plain, query, source))


def test_hard_attention_scans_on_from_where_it_stopped():
    attention, source, query = built(first_offset=0.0).eval(), encoded(), 5.0 * queries()
    _, weights = unroll(attention, query, source)
    seen = set()
    for row, length in enumerate(LENGTHS.tolist()):
        place = 0
        for step in range(STEPS):
            found = energies(attention, query[row, step], source.memory[row, :length]) > 0
            while place < length - 1 and not found[place]:
                place += 1
            expected = torch.zeros(weights.shape[2], dtype=torch.float64)
            expected[place] = 1.0
            assert torch.equal(weights[row, step], expected)
            seen.add(place)
    assert len(seen) > 2, "the energies have to stop at several places for this to show anything"


def test_attention_never_goes_back():
    attention, source = built(hard=False), encoded()
    _, weights = unroll(attention, 3.0 * queries(), source)
    reached = weights.cumsum(2)  # the chance to be at or before a position can only fall
    assert (reached[:, 1:] <= reached[:, :-1] + 1e-12).all()


def test_certain_energies_make_expected_and_hard_attention_one():
    soft, hard = built(hard=False, first_offset=0.0).eval(), built(hard=True, first_offset=0.0).eval()
    with torch.no_grad():
        soft.gain.fill_(1e4)
    hard.load_state_dict(soft.state_dict())
    source, query = encoded(), queries()
    torch.testing.assert_close(unroll(soft, query, source)[1], unroll(hard, query, source)[1])
    assert not torch.equal(unroll(built(hard=False), query, source)[1], unroll(hard, query, source)[1])


def test_training_is_expected_and_draws_noise_that_evaluation_does_not():
    attention, source, query = built(noise=1.0), encoded(), queries()
    first, second = (unroll(attention, query, source)[1] for _ in range(2))
    assert not torch.equal(first, second) and (first[0] < 1).all()
    assert_weights(first, source)
    attention.eval()
    first, second = (unroll(attention, query, source)[1] for _ in range(2))
    assert torch.equal(first, second)
    assert set(first.flatten().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8])
def test_the_recurrence_equals_its_loop(length):
    factors, terms = torch.rand(2, 3, length, dtype=torch.float64), torch.rand(2, 3, length, dtype=torch.float64)
    expected, before = [], torch.zeros(2, 3, dtype=torch.float64)
    for place in range(length):
        before = factors[:, :, place] * before + terms[:, :, place]
        expected.append(before)
    torch.testing.assert_close(linear_recurrence(factors, terms), torch.stack(expected, 2))


def test_a_long_source_of_certain_stops_keeps_its_digits():
    """Where cumulative products vanish: 300 positions, each passed with probability 1e-6 or 1 - 1e-6."""
    go_on = torch.where(torch.arange(300) % 3 == 0, 1e-6, 1 - 1e-6).double()
    before = torch.zeros(300).double().index_fill(0, torch.tensor(0), 1.0)
    factors = torch.cat((torch.zeros(1).double(), go_on[:-1]))
    exact, fast = linear_recurrence(factors, before), linear_recurrence(factors.float(), before.float())
    assert fast.isfinite().all()
    # No more than 300 factors, each rounded when it is given and when it is multiplied by.
    torch.testing.assert_close(fast.double(), exact, rtol=2 * 300 * 2.0**-24, atol=1e-30)


def test_gradients_pass_gradcheck():
    attention, source = built(hard=False, attention_size=2), encoded()
    memory, query = source.memory.requires_grad_(), queries(2).requires_grad_()

    def attend(memory, query, *_):
        return unroll(attention, query, source._replace(memory=memory))

    assert torch.autograd.gradcheck(attend, (memory, query, *attention.parameters()))


def test_an_initialization_leaves_offset_and_gain_what_the_paper_starts_from():
    attention = built(first_offset=-4.0)
    with torch.no_grad():
        attention.gain.zero_()
        attention.offset.zero_()
    GlorotOrthogonalInitialization()(attention)
    assert attention.offset.tolist() == [-4.0] and attention.gain.item() == pytest.approx(1 / math.sqrt(7))
    assert len(attention.initial_state(attention.prepare(encoded()))[0]) == BATCH


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, r"attention\.temperature is 0\.0, expected a number above 0"),
        ({"noise": -1.0}, r"attention\.noise is -1\.0, expected a number of at least 0"),
        ({"attention_size": 0}, r"attention\.attention_size is 0, expected a whole number above 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        built(**options)
