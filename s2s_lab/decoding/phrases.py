"""Which of a sentence's phrases an output holds, as one automaton's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2s_lab.decoding.task import Phrase
from s2s_lab.faults import RequestError

MOST_PHRASES = 10
"""Different phrases that a sentence may require: the automaton doubles with each."""


@dataclass(frozen=True)
class PhraseAutomaton:
    """An automaton that reads an output and knows which phrases it holds; phrases may overlap in it.

    A state is a node of the phrases' keyword tree (the longest beginning of a phrase that the output ends with)
    together with the set of phrases met so far.

    Paper: Aho, Corasick 1975, "Efficient string matching", CACM 18(6). Deviation: states also hold what was met.

    Attributes:
        symbols: (symbols,) int64, the symbols of the phrases, ascending.
        following: (states, symbols + 1) int64, the state after each symbol, after any other one in the last column;
            state 0 is the first.
        distance: (states,) int64, the fewest symbols until all phrases are met.
    """

    symbols: Tensor
    following: Tensor
    distance: Tensor

    @classmethod
    def of(cls, phrases: Sequence[Phrase]) -> PhraseAutomaton:
        """Builds the automaton of some phrases; equal ones count once.

        Raises:
            RequestError: a phrase is empty, or there are more than `MOST_PHRASES` different ones.
        """
        wanted = sorted(set(map(tuple, phrases)))
        if () in wanted:
            raise RequestError("a required phrase is empty, expected at least one symbol")
        if len(wanted) > MOST_PHRASES:
            raise RequestError(f"{len(wanted)} different phrases are required, expected at most {MOST_PHRASES}")
        symbols = sorted({symbol for phrase in wanted for symbol in phrase})
        nodes = sorted({phrase[:length] for phrase in wanted for length in range(len(phrase) + 1)}, key=len)
        place = {node: number for number, node in enumerate(nodes)}  # the root, (), is 0
        step = torch.zeros((len(nodes), len(symbols) + 1), dtype=torch.int64)
        ends = torch.zeros(len(nodes), dtype=torch.int64)  # the set of phrases that end at a node, as bits
        for number, node in enumerate(nodes):
            ends[number] = sum(1 << bit for bit, phrase in enumerate(wanted) if node[-len(phrase) :] == phrase)
            for column, symbol in enumerate(symbols):
                grown = (*node, symbol)
                while grown not in place:
                    grown = grown[1:]
                step[number, column] = place[grown]
        sets = torch.arange(1 << len(wanted))
        following = (sets.view(-1, 1, 1) | ends[step]) * len(nodes) + step  # (sets, nodes, symbols + 1)
        following = following.flatten(0, 1)
        distance = torch.full((len(following),), len(following))
        distance[-len(nodes) :] = 0  # the last set is that of all phrases
        while True:
            closer = torch.minimum(distance, distance[following].amin(1) + 1)
            if torch.equal(closer, distance):
                return cls(torch.tensor(symbols, dtype=torch.int64), following, distance)
            distance = closer


class PhraseTables:
    """The automata of a batch's sentences side by side.

    Args:
        automata: one for each sentence.
        filling: an id that is in no phrase.
        device: where the tensors live.

    Attributes:
        symbols: (batch, symbols) int64, `filling` where a sentence has fewer.
        following: (batch, states, symbols + 1) int64; the last column is for any other symbol.
        distance: (batch, states) int64.
    """

    def __init__(self, automata: Sequence[PhraseAutomaton], filling: int, device: torch.device) -> None:
        states = max(len(each.distance) for each in automata)
        symbols = max(len(each.symbols) for each in automata)
        self.symbols = torch.full((len(automata), symbols), filling)
        self.following = torch.zeros((len(automata), states, symbols + 1), dtype=torch.int64)
        self.distance = torch.zeros((len(automata), states), dtype=torch.int64)
        for row, each in enumerate(automata):
            known, own = len(each.distance), len(each.symbols)
            self.symbols[row, :own] = each.symbols
            self.following[row, :known] = each.following[:, -1:]
            self.following[row, :known, :own] = each.following[:, :-1]
            self.distance[row, :known] = each.distance
        self.symbols, self.following, self.distance = (
            table.to(device) for table in (self.symbols, self.following, self.distance)
        )

    def after(self, sentences: Tensor, states: Tensor, ids: Tensor) -> Tensor:
        """Gives the states (rows,) after the symbols `ids` (rows,), in rows of the sentences (rows,)."""
        same = self.symbols.index_select(0, sentences) == ids.unsqueeze(1)  # (rows, symbols)
        column = torch.cat((same, same.new_ones((len(ids), 1))), 1).byte().argmax(1)  # the first that is the same
        return self.following[sentences, states, column]
