"""No n symbols in a row twice: against a plain search through each output, and the best such output."""

import itertools
import math
from collections.abc import Sequence

import pytest
import torch

from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.faults import RequestError

LIMIT, VOCAB = 6, 5
SPECIAL = {"bos": 0, "eos": 1, "banned": (0,), "max_length": LIMIT, "max_length_ratio": None}


def repeats(ids: Sequence[int], size: int) -> bool:
    found = [tuple(ids[start : start + size]) for start in range(len(ids) - size + 1)]
    return len(found) > len(set(found))


def decode(strategy: DecodingStrategy, tables: torch.Tensor):
    """Decodes one bigram model (batch, vocab, vocab) a sentence."""
    batch = len(tables)
    return strategy.decode(
        lambda previous, state, memory: (
            memory[torch.arange(len(previous)) // (len(previous) // len(memory)), previous],
            state,
            None,
        ),
        torch.zeros(batch, 1),
        tables,
        source_lengths=torch.full((batch,), 3),
        sentence_index=torch.arange(batch),
    )


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("strategy", [GreedySearch, BeamSearch, Sampling])
def test_no_output_repeats(strategy, size):
    tables = torch.randn(30, VOCAB, VOCAB, dtype=torch.float64) * 2
    tables[:, :, 1] -= 1
    free = decode(strategy(**SPECIAL), tables)
    found = decode(strategy(**SPECIAL, constraints=(NoRepeat(size=size),)), tables)
    assert any(repeats(best.ids, size) for (best,) in free)
    assert not any(repeats(best.ids, size) for (best,) in found)


@pytest.mark.parametrize("size", [1, 2])
def test_a_beam_as_wide_as_the_space_finds_the_best_output_without_a_repetition_and_its_own_probability(size):
    tables = torch.randn(5, VOCAB, VOCAB, dtype=torch.float64)
    log_probs = tables.log_softmax(-1)
    strategy = BeamSearch(**SPECIAL, size=3**LIMIT, stopping="optimal_bound", constraints=(NoRepeat(size=size),))
    for table, (best,) in zip(log_probs, decode(strategy, tables), strict=True):
        space = {}
        for length in range(LIMIT + 1):
            for ids in itertools.product((2, 3, 4), repeat=length):
                whole = (0, *ids, *(() if length == LIMIT else (1,)))
                if not repeats(ids, size):
                    space[ids] = math.fsum(float(table[pair]) for pair in itertools.pairwise(whole))
        expected = max(space, key=space.__getitem__)
        assert best.ids == expected
        assert best.log_prob == pytest.approx(space[expected], abs=1e-9)


def test_the_signature_names_it_and_a_size_of_nothing_is_refused():
    assert "|constraint:no_repeat:2" in GreedySearch(**SPECIAL, constraints=(NoRepeat(size=2),)).signature()
    with pytest.raises(
        RequestError, match=r"^constraint\.no_repeat\.size is 0, expected a whole number"
    ):
        NoRepeat(size=0)
