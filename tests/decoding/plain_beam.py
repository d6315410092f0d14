"""A beam search with lists, for one sentence, that takes its candidates from whoever chooses them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from s2s_lab.decoding.beam import BeamSearch


class Entry(NamedTuple):
    """A hypothesis: what ranks it, the model's own log-probability, its symbols, the state after all but the last."""

    value: float
    log_prob: float
    ids: tuple[int, ...]
    state: Any


@dataclass
class PlainBeam:
    """The documented search; `options` gives size, penalty, rule and number, `limit` the most steps."""

    toy: Any
    sentence: int
    options: BeamSearch
    limit: int
    size: int = 0
    live: list[Entry] = field(default_factory=list)
    ended: list[tuple[float, tuple[int, ...], bool, float]] = field(default_factory=list)
    done: bool = False
    length: int = 0

    def __post_init__(self) -> None:
        self.size = self.size or self.options.size
        self.live = [Entry(0.0, 0.0, (), self.toy.arguments([self.sentence])["state"])]

    def children(self, taken: Counter[int] | None = None, strength: float = 0.0) -> list[list[Entry]]:
        """The continuations of each live hypothesis, in the order of ids, less what others have taken."""
        memory, found = self.toy.arguments([self.sentence])["memory"], []
        for entry in self.live:
            scores, after, _ = self.toy.step(torch.tensor([(2, *entry.ids)[-1]]), entry.state, memory)
            log_probs = scores.log_softmax(-1)[0].tolist()
            found.append(
                [
                    Entry(
                        entry.value + (log_probs[id_] - strength * (taken or {}).get(id_, 0)),
                        entry.log_prob + log_probs[id_],
                        (*entry.ids, id_),
                        after,
                    )
                    for id_ in range(len(log_probs))
                    if id_ not in (0, 2)
                ]
            )
        return found

    def score(self, value: float, length: int) -> float:
        return float(self.options.length_penalty.score(torch.tensor(value, dtype=torch.float64), length))

    def take(self, chosen: list[Entry]) -> None:
        """Goes one step on with the 2 x size candidates chosen, in their order."""
        self.length += 1
        num = min(self.size, self.options.num_hypotheses)
        for entry in chosen[: self.size]:
            if entry.ids[-1] == 3:
                self.ended.append((self.score(entry.value, self.length), entry.ids[:-1], True, entry.log_prob))
        self.live = [entry for entry in chosen if entry.ids[-1] != 3][: self.size]
        best = sorted((entry[0] for entry in self.ended), reverse=True)
        enough = self.size if self.options.stopping == "all_finished" else num
        seen_at = {"outscored": self.length, "optimal_bound": self.limit}.get(self.options.stopping)
        top = max((entry.value for entry in self.live), default=-float("inf"))
        self.done = len(best) >= enough and (seen_at is None or best[num - 1] >= self.score(top, seen_at))
        if self.length == self.limit:
            self.done = True
            self.ended += [
                (self.score(entry.value, self.limit), entry.ids, False, entry.log_prob) for entry in self.live
            ]

    def best(self) -> list[tuple[float, tuple[int, ...], bool, float]]:
        """Score, symbols, whether finished, log-probability of the best."""
        num = min(self.size, self.options.num_hypotheses)
        return sorted(self.ended, key=lambda entry: -entry[0])[:num]


def by_value(children: list[list[Entry]]) -> list[Entry]:
    """All continuations, the best first."""
    return sorted((entry for siblings in children for entry in siblings), key=lambda entry: -entry.value)
