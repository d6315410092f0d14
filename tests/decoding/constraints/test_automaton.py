"""An automaton of allowed outputs: only these come, the best of them from a wide beam, and none is cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constraints.automaton import Arc, Automaton, trie
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.faults import RequestError

LIST = [(4,), (4, 5, 1), (4, 5), (1, 1, 1, 1, 1), (5, 4, 4, 1), (5, 4, 4)]
PAIRS: list[Arc] = [(0, 1, 1), (1, 4, 0), (0, 5, 2), (2, 5, 0), (0, 3, 3)]  # (1 4 | 5 5)*
AUTOMATA = {
    "list": (trie((*ids, 3) for ids in LIST), "(4|451|45|11111|5441|544)"),
    "pairs": (PAIRS, "(14|55)*"),
}


@pytest.mark.parametrize("strategy", [GreedySearch, BeamSearch, Sampling])
@pytest.mark.parametrize("name", AUTOMATA)
@pytest.mark.parametrize("limit", [4, 5, 6])
def test_every_output_is_accepted_and_none_is_cut(
    limit: int, name: str, strategy: type[DecodingStrategy], make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    arcs, language = AUTOMATA[name]
    automaton = Automaton(arcs=arcs, ending=3)
    for seed in range(3):
        toy = make_toy(vocab=6, seed=seed, ends=-1.0)
        whole = strategy(**special_ids, max_length=limit, constraints=(automaton,)).decode(**toy.arguments())
        for sentence, (best,) in enumerate(whole):
            assert best.finished and re.fullmatch(language, "".join(map(str, best.ids)))
            assert best.log_prob == pytest.approx(toy.rescore(sentence, (*best.ids, 3))[0], abs=1e-9)


@pytest.mark.parametrize("name", AUTOMATA)
def test_a_beam_as_wide_as_the_space_finds_the_best_accepted_output(
    name: str, make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy, (arcs, language) = make_toy(vocab=6, seed=1), AUTOMATA[name]
    beam = BeamSearch(
        **special_ids, max_length=5, max_length_ratio=None, size=30, num_hypotheses=3, stopping="optimal_bound",
        constraints=(Automaton(arcs=arcs, ending=3),),
    )  # fmt: skip
    for sentence, found in enumerate(beam.decode(**toy.arguments())):
        space = [each for each in toy.space(sentence, 5, [1, 4, 5]) if each[1]]
        space = [each for each in space if re.fullmatch(language, "".join(map(str, each[0])))]
        best = sorted(space, key=lambda output: -output[2])[:3]
        assert [each.ids for each in found] == [ids for ids, _, _ in best]


def test_what_accepts_nothing_or_says_two_things_is_refused_in_one_clear_line(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    for arcs, said in (
        ([(0, 4, 1), (0, 4, 2), (1, 3, 3)], "state 0 has two arcs with id 4"),
        ([(0, 4, 1), (1, 5, 0)], "accepts no output"),
        ([], "accepts no output"),
    ):
        with pytest.raises(RequestError, match=f"^constraint.automaton: .*{said}"):
            Automaton(arcs=arcs, ending=3)
    with pytest.raises(RequestError, match=r"^constraint\.automaton\.file is null"):
        Automaton()
    strategy = GreedySearch(**special_ids, max_length=2, constraints=(Automaton(arcs=trie([(4, 5, 3)]), ending=3),))
    with pytest.raises(RequestError, match=r"^sentence 0: an output of .* takes at least 3 symbols .* at most 2"):
        strategy.decode(**make_toy().arguments())
    named = Automaton(file="some/list.txt")
    assert named.signature() == "automaton:outputs:list.txt"
    with pytest.raises(RequestError, match=r"^some/list\.txt: only the file's name is known"):
        GreedySearch(**special_ids, constraints=(named,)).decode(**make_toy().arguments())
