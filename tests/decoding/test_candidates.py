"""The best candidates equal those of a plain stable sort, whatever the ties, blocks and types."""

import pytest
import torch

from s2s_lab.decoding.candidates import NextSymbol, best_of_each_row, best_of_sentences, reduce_blocks, top

DTYPES = [torch.float32, torch.float64]


def tied(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """Few distinct values of both signs, zeros and impossible ones, so that ties are everywhere."""
    values = torch.randint(-4, 3, shape).to(dtype) / 2
    return values.masked_fill(values == -2, -torch.inf)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 7, 40])
def test_top_gives_ties_to_the_lower_position(dtype: torch.dtype, count: int) -> None:
    values = tied(30, 40, dtype=dtype)
    expected, order = values.sort(dim=-1, descending=True, stable=True)
    found, positions = top(values, count)
    assert torch.equal(found, expected[:, :count]) and torch.equal(positions, order[:, :count])


def test_top_orders_neighbouring_floats() -> None:
    value = torch.tensor([-1.5, -1e-30, 0.0, 1e-30, 2.5])
    values = torch.cat((value, torch.nextafter(value, torch.tensor(9.0)), torch.tensor([torch.inf]))).unsqueeze(0)
    assert torch.equal(top(values, 10)[0], values.sort(descending=True).values[:, :10])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("vocab", "block", "count"), [(37, 4, 6), (40, 4, 6), (37, 64, 6), (33, 8, 33), (513, 64, 10)])
@pytest.mark.parametrize("ties", [True, False])
def test_best_of_sentences_equals_sorting_everything(
    dtype: torch.dtype, vocab: int, block: int, count: int, ties: bool
) -> None:
    width = 3
    log_probs = tied(5 * width, vocab, dtype=dtype) if ties else torch.randn(5 * width, vocab, dtype=dtype)
    so_far = tied(5, width, dtype=dtype)
    sums = (log_probs.view(5, width, vocab) + so_far.unsqueeze(2)).flatten(1)
    expected, order = sums.sort(dim=-1, descending=True, stable=True)
    values, codes = best_of_sentences(log_probs, so_far, count, block)
    assert torch.equal(values, expected[:, :count])
    possible = values > -torch.inf
    assert torch.equal(codes[possible], order[:, :count][possible])
    assert int(codes.max()) < width * vocab and int(codes.min()) >= 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "vocab"), [(3, 9), (20, 512), (20, 701)])
def test_best_of_each_row_is_the_first_maximum(dtype: torch.dtype, rows: int, vocab: int) -> None:
    values = tied(rows, vocab, dtype=dtype)
    best, ids = best_of_each_row(values)
    first = (values == values.amax(-1, keepdim=True)).byte().argmax(-1)
    assert torch.equal(ids, first) and torch.equal(best, values.amax(-1))


def test_blocks_are_reduced_with_their_shorter_last_one() -> None:
    values = torch.randn(4, 11)
    expected = torch.stack([part.sum(-1) for part in values.split(4, 1)], 1)
    torch.testing.assert_close(reduce_blocks(values, torch.sum, 4), expected)


LIMITS = torch.full((4,), 9)


def make(min_length: int = 0, ending: int | None = None) -> NextSymbol:
    return NextSymbol(early=(0, 3), later=(0,), min_length=min_length, device=torch.device("cpu"), ending=ending)


def test_forbidden_ids_become_impossible_and_the_others_stay_as_they_were() -> None:
    scores = torch.randn(4, 6)
    kept, expected = scores.clone(), scores.log_softmax(-1)
    for step, forbidden in ((0, [0, 3]), (1, [0, 3]), (2, [0])):
        log_probs = make(min_length=2)(scores, step, LIMITS)
        assert bool((log_probs[:, forbidden] == -torch.inf).all())
        others = [symbol for symbol in range(6) if symbol not in forbidden]
        assert torch.equal(log_probs[:, others], expected[:, others])
    assert torch.equal(scores, kept)


def test_an_ending_is_all_there_is_at_a_sentences_last_step_and_forbidden_before() -> None:
    scores = torch.randn(6, 6)  # two rows for each of three sentences
    log_probs = make(ending=3)(scores, 1, torch.tensor([2, 3, 2]))
    expected = scores.log_softmax(-1)
    for row, last in enumerate([True, True, False, False, True, True]):
        allowed = [3] if last else [1, 2, 4, 5]
        assert torch.equal(log_probs[row, allowed], expected[row, allowed])
        assert bool((log_probs[row, [symbol for symbol in range(6) if symbol not in allowed]] == -torch.inf).all())


def test_log_probabilities_stay_as_they_are() -> None:
    log_probs = torch.randn(4, 6).double().log_softmax(-1)
    torch.testing.assert_close(make()(log_probs, 0, LIMITS)[:, 1:], log_probs[:, 1:], rtol=0, atol=1e-14)


def test_halves_are_normalised_in_float32() -> None:
    scores = torch.randn(4, 6).bfloat16()
    assert torch.equal(make()(scores, 0, LIMITS)[:, 1:], scores.float().log_softmax(-1)[:, 1:])


def test_fewer_rows_reuse_the_memory_of_more() -> None:
    normalise, scores = make(), torch.randn(4, 6)
    first = normalise(scores, 0, LIMITS)
    again = normalise(scores[1:3], 1, LIMITS)
    assert again.data_ptr() == first.data_ptr() and torch.equal(again[:, 1:], scores[1:3].log_softmax(-1)[:, 1:])
