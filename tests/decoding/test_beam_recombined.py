"""Recombination is Viterbi's search on Markov models, and never keeps two hypotheses that end alike."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.beam_recombined import RecombinedBeamSearch
from s2s_lab.decoding.length_penalty import Average
from s2s_lab.decoding.trace import Trace
from s2s_lab.faults import RequestError
from tests.decoding.brute_force import BOS, EOS, SPECIAL, TinyModel

LIMIT = 7


def viterbi(model: TinyModel, sentence: int, exactly: int | None = None) -> tuple[float, tuple[int, ...]]:
    """The best output by the recursion over contexts: of at most LIMIT steps, or of exactly so many symbols."""
    assert model.order is not None
    steps = LIMIT if exactly is None else exactly + 1
    table = model.scores[sentence].log_softmax(-1).tolist()
    best: dict[int, tuple[float, tuple[int, ...]]] = {model.code_after(0, BOS): (0.0, ())}
    ended = (-math.inf, ())
    for step in range(steps):
        after: dict[int, tuple[float, tuple[int, ...]]] = {}
        for context, (log_prob, ids) in best.items():
            if exactly is None or step == exactly:
                ended = max(ended, (log_prob + table[context][EOS], ids))
            for symbol in range(2, model.vocab):
                entry = (log_prob + table[context][symbol], (*ids, symbol))
                key = model.code_after(context, symbol)
                after[key] = max(after.get(key, entry), entry)
        best = after
    return ended if exactly is not None else max(ended, *best.values())


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("vocab", [4, 5])
def test_with_a_place_for_every_context_and_for_the_end_it_is_viterbi(order: int, vocab: int) -> None:
    model = TinyModel(vocab=vocab, batch=8, order=order, ends=-3.0, seed=order)
    search = RecombinedBeamSearch(
        **SPECIAL, max_length=LIMIT, size=(vocab - 2) ** order + 1, last=order, stopping="optimal_bound"
    )
    for sentence, (found,) in enumerate(search.decode(**model.arguments())):
        log_prob, ids = viterbi(model, sentence)
        assert found.ids == ids
        assert math.isclose(found.log_prob, log_prob, abs_tol=1e-9)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("length", [0, 1, 4, 6])
def test_so_it_is_for_each_exact_length(order: int, length: int) -> None:
    model = TinyModel(vocab=5, batch=6, order=order, seed=7)
    search = RecombinedBeamSearch(**SPECIAL, size=3**order, last=order)
    exact = torch.full((6,), length)
    for sentence, (found,) in enumerate(search.decode(**model.arguments(), exact_lengths=exact)):
        log_prob, ids = viterbi(model, sentence, length)
        assert (found.ids, found.finished) == (ids, True)
        assert math.isclose(found.log_prob, log_prob, abs_tol=1e-9)


def test_a_plain_beam_of_that_size_misses_some_that_it_finds() -> None:
    model = TinyModel(vocab=5, batch=60, order=1, ends=-3.0, seed=5)
    options = {**SPECIAL, "max_length": LIMIT, "size": 3, "stopping": "optimal_bound"}
    plain, recombined = (
        [found.log_prob for (found,) in search.decode(**model.arguments())]
        for search in (BeamSearch(**options), RecombinedBeamSearch(**options, last=1))
    )
    assert all(ours >= theirs - 1e-9 for ours, theirs in zip(recombined, plain, strict=True))
    assert any(ours > theirs + 1e-9 for ours, theirs in zip(recombined, plain, strict=True))


@pytest.mark.parametrize("last", [1, 2, 3])
@pytest.mark.parametrize("size", [2, 5])
def test_no_two_live_hypotheses_end_alike_and_the_best_of_those_lives(last: int, size: int) -> None:
    model = TinyModel(vocab=4, limit=6, batch=12, ends=-2.0)
    trace = Trace()
    search = RecombinedBeamSearch(
        **SPECIAL, max_length=6, size=size, last=last, length_penalty=Average(), stopping="all_finished"
    )
    search.decode(**model.arguments(), trace=trace)
    merged = 0
    for tree in trace.sentences():
        ends: dict[int, tuple[int, ...]] = {0: (BOS,) * last}
        alive: dict[tuple[int, tuple[int, ...]], list[float]] = defaultdict(list)
        for node in tree["nodes"][1:]:
            ends[node["id"]] = (*ends[node["parent"]], node["token"])[-last:]
            if node["fate"] in ("kept", "limit"):
                alive[node["step"], ends[node["id"]]].append(node["score"])
        assert all(len(scores) == 1 for scores in alive.values())
        for node in tree["nodes"]:
            if node["fate"] == "recombined":
                merged += 1
                assert ends[node["id"]] == ends[node["into"]]
                assert tree["nodes"][node["into"]]["score"] >= node["score"]
    assert merged


def test_hypotheses_that_differ_in_their_last_symbols_are_left_alone() -> None:
    model = TinyModel(vocab=4, limit=5, batch=6, ends=0.5)
    options = {**SPECIAL, "max_length": 5, "size": 4, "num_hypotheses": 4}
    plain, recombined = BeamSearch(**options), RecombinedBeamSearch(**options, last=5)
    assert plain.decode(**model.arguments()) == recombined.decode(**model.arguments())


def test_last_is_checked() -> None:
    with pytest.raises(RequestError, match=r"^decoding\.last is 0, expected a whole number of at least 1"):
        RecombinedBeamSearch(**SPECIAL, last=0)
