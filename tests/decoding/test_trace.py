"""The account of a search: every node's numbers are the model's, every fate follows the search's rules."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from s2s_lab.decoding.base import DecodingStrategy, Hypothesis
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.beam_recombined import RecombinedBeamSearch
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.constraints.repetition_penalty import RepetitionPenalty
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.length_penalty import Average
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.decoding.trace import Trace
from s2s_lab.faults import RequestError
from tests.decoding.brute_force import BOS, EOS, SPECIAL, TinyModel

SIZE, LIMIT = 3, 5
STRATEGIES: dict[str, Any] = {
    "beam": lambda **more: BeamSearch(**SPECIAL, max_length=LIMIT, size=SIZE, num_hypotheses=2, **more),
    "average": lambda **more: BeamSearch(
        **SPECIAL, max_length=LIMIT, size=SIZE, num_hypotheses=2, length_penalty=Average(), **more
    ),
    "recombined": lambda **more: RecombinedBeamSearch(**SPECIAL, max_length=LIMIT, size=SIZE, last=1, **more),
    "greedy": lambda **more: GreedySearch(**SPECIAL, max_length=LIMIT, **more),
    "sampling": lambda **more: Sampling(**SPECIAL, max_length=LIMIT, num_samples=4, **more),
}
by_strategy = pytest.mark.parametrize("name", STRATEGIES)
beams = pytest.mark.parametrize("name", ["beam", "average", "recombined"])


def traced(strategy: DecodingStrategy, model: TinyModel) -> tuple[list[list[Hypothesis]], list[dict[str, Any]]]:
    trace = Trace()
    decoded = strategy.decode(**model.arguments(), trace=trace)
    return decoded, trace.sentences()


def symbols_of(tree: dict[str, Any], node: dict[str, Any]) -> tuple[int, ...]:
    symbols = []
    while node["parent"] is not None:
        symbols.append(node["token"])
        node = tree["nodes"][node["parent"]]
    return tuple(reversed(symbols))


@by_strategy
@pytest.mark.parametrize("soft", [False, True])
def test_every_node_has_the_models_log_probability_and_the_best_end_where_the_hypotheses_do(
    name: str, soft: bool
) -> None:
    model = TinyModel(batch=6, limit=LIMIT, ends=1.0)
    constraints = (NoRepeat(size=2), *((RepetitionPenalty(penalty=1.4),) if soft else ()))
    strategy = STRATEGIES[name](constraints=constraints)
    decoded, trees = traced(strategy, model)
    assert decoded == strategy.decode(**model.arguments())  # being told changes nothing
    assert len(trees) == 6
    for sentence, (tree, nbest) in enumerate(zip(trees, decoded, strict=True)):
        root, *nodes = tree["nodes"]
        assert root == {
            "id": 0,
            "parent": None,
            "step": -1,
            "token": BOS,
            "log_prob": 0.0,
            "score": 0.0,
            "fate": "kept",
        }
        for place, node in enumerate(nodes, 1):
            symbols = symbols_of(tree, node)
            assert node["id"] == place and node["step"] == len(symbols) - 1
            assert tree["nodes"][node["parent"]]["fate"] in ("kept", "limit")
            finished = symbols[-1] == EOS
            output = model.output(sentence, symbols[:-1] if finished else symbols, finished)
            assert math.isclose(node["log_prob"], output.log_prob, abs_tol=1e-9)
        assert len(tree["best"]) == len(nbest)
        for end, hypothesis in zip(tree["best"], nbest, strict=True):
            node = tree["nodes"][end]
            assert symbols_of(tree, node) == (*hypothesis.ids, *([EOS] if hypothesis.finished else []))
            assert node["fate"] == ("finished" if hypothesis.finished else "limit")
            assert math.isclose(node["score"], hypothesis.score, abs_tol=1e-9)
            assert math.isclose(node["log_prob"], hypothesis.log_prob, abs_tol=1e-9)


@beams
def test_the_fates_are_those_of_the_rules_of_the_beam(name: str) -> None:
    model = TinyModel(batch=20, limit=LIMIT, seed=4)
    _, trees = traced(STRATEGIES[name](), model)
    fates = Counter()
    for tree in trees:
        last = max(node["step"] for node in tree["nodes"])
        for step in range(last + 1):
            told = [node for node in tree["nodes"] if node["step"] == step]
            fates.update(node["fate"] for node in told)
            assert len(told) <= 2 * SIZE + (SIZE if name == "recombined" else 0)
            scores = [node["score"] for node in told]
            assert scores == sorted(scores, reverse=True)
            alive = [node for node in told if node["fate"] in ("kept", "limit")]
            assert len(alive) <= SIZE and all(node["token"] != EOS for node in alive)
            assert all(node["token"] == EOS for node in told if node["fate"] == "finished")
            assert all((node["fate"] == "limit") == (step == LIMIT - 1) for node in alive)
            for node in told:
                assert (node["fate"] == "recombined") == ("into" in node)
                if "into" in node:
                    better = tree["nodes"][node["into"]]
                    assert better["step"] == step and better["score"] >= node["score"]
                    assert better["token"] == node["token"] and better["fate"] != "recombined"
    expected = {"kept", "finished", "cut", "limit"} | ({"recombined"} if name == "recombined" else set())
    assert set(fates) == expected


def test_a_beam_that_finishes_nothing_tells_all_of_a_small_space() -> None:
    model = TinyModel(vocab=3, limit=3, batch=1)  # one symbol and eos
    _, (tree,) = traced(BeamSearch(**SPECIAL, max_length=3, size=1, stopping="all_finished"), model)
    assert [(node["token"], node["fate"]) for node in tree["nodes"] if node["step"] == 0] in (
        [(2, "kept"), (EOS, "cut")],
        [(EOS, "finished"), (2, "kept")],
    )


def test_sentences_come_in_the_order_of_the_split_whatever_the_batches() -> None:
    model, strategy = TinyModel(batch=5, limit=LIMIT), STRATEGIES["beam"]()
    _, whole = traced(strategy, model)
    trace = Trace()
    for rows in ([4, 1], [3], [0, 2]):
        strategy.decode(**model.arguments(rows), trace=trace)
    for one, other in zip(trace.sentences(), whole, strict=True):
        assert one["best"] == other["best"]
        for node, expected in zip(one["nodes"], other["nodes"], strict=True):
            assert node == pytest.approx(expected)


def test_a_strategy_that_cannot_tell_its_search_refuses_to() -> None:
    class Silent(GreedySearch):
        traces = False

    model = TinyModel(batch=2)
    with pytest.raises(RequestError, match=r"^decoding=greedy cannot tell its search"):
        Silent(**SPECIAL).decode(**model.arguments(), trace=Trace())
