"""Outputs that a finite automaton accepts, such as those of a list."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Task
from s2s_lab.faults import RequestError

Arc = tuple[int, int, int]
NOWHERE = 1 << 40


class Automaton(Constraint):
    """Allows the symbols of a deterministic automaton's arcs alone, eos among them, as long as the limit lets it end.

    An output that ends has been accepted: eos is a symbol of the arcs, which lead out of accepting states. An arc after
    which too few steps are left to reach an eos is not taken, so no output is cut at its limit.

    With exact lengths only the arcs are kept to: a sentence may be left without any output.

    Args:
        file: the automaton's.
        kind: what the file holds: `outputs`, one a line, or `arcs`, in the text format of OpenFst.
        arcs: what it says, (state, id, next state), states from 0, the first, which whoever knows the vocabulary gives.
        ending: id of the arcs that end an output.

    Raises:
        RequestError: there is no file and no arc, two arcs lead from one state with one id to different states, or no
            output is accepted.
    """

    def __init__(
        self,
        *,
        file: str | None = None,
        kind: Literal["outputs", "arcs"] = "outputs",
        arcs: Sequence[Arc] | None = None,
        ending: int | None = None,
    ) -> None:
        if file is None and arcs is None:
            raise RequestError("constraint.automaton.file is null, expected the file of an automaton")
        self._place = "constraint.automaton" if file is None else file
        self._name = f"{kind}:{re.sub(r'[^0-9A-Za-z_.-]', '_', Path(file).name) if file else len(arcs or ())}"
        self._ending, self._tables = ending, {}
        self._table = torch.tensor(sorted(set(arcs or ())), dtype=torch.int64).view(-1, 3)
        if arcs is not None:
            self._check()

    def signature(self) -> str:
        """Returns the name, the kind and the file's name; what is in the file is told elsewhere."""
        return f"automaton:{self._name}"

    def start(self, task: Task) -> Any:
        """Starts before bos, with the steps that are left; see the base class.

        Raises:
            RequestError: a sentence's limit is shorter than every accepted output.
        """
        if not len(self._table):
            raise RequestError(f"{self._place}: only the file's name is known, expected its arcs beside it")
        limits = task.limits
        shortest = int(self._on(limits.device).distance[0])
        if bool((limits < shortest).any()):
            row = int((limits < shortest).nonzero()[0])
            raise RequestError(
                f"sentence {int(task.sentence_index[row])}: an output of {self._place} takes at least {shortest} "
                f"symbols with eos, expected at most {int(limits[row])}, the limit of its output"
            )
        return torch.full_like(limits, -1), limits + 1

    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Takes the symbol's arc, and none for bos; see the base class."""
        states, left = state
        tables = self._on(states.device)
        ids, places, real = tables.arcs_of(states.clamp(min=0))
        taken = (ids == previous_ids.unsqueeze(1)) & real
        following = tables.following[places.gather(1, taken.byte().argmax(1, keepdim=True)).squeeze(1)]
        following = torch.where(taken.any(1), following, len(tables.counts) - 1)
        return torch.where(states < 0, 0, following), left - 1

    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Forbids all but the arcs that still lead to an end; see the base class."""
        states, left = state
        tables = self._on(states.device)
        ids, places, real = tables.arcs_of(states)
        allowed = real & (tables.distance[tables.following[places]] < left.unsqueeze(1))
        found = log_probs.gather(1, ids).masked_fill_(~allowed, -torch.inf)
        log_probs.fill_(-torch.inf).scatter_reduce_(1, ids, found, "amax")

    def _check(self) -> None:
        twice = (self._table[1:, :2] == self._table[:-1, :2]).all(1).nonzero()
        if len(twice):
            state, symbol, _ = self._table[int(twice[0])].tolist()
            raise RequestError(f"{self._place}: state {state} has two arcs with id {symbol}, expected one")
        if not len(self._table) or self._on(torch.device("cpu")).distance[0] >= NOWHERE:
            raise RequestError(f"{self._place}: it accepts no output, expected one that ends")

    def _on(self, device: torch.device) -> "ArcTables":
        """The tables on a device, made once."""
        if device not in self._tables:
            self._tables[device] = ArcTables.of(self._table, self._ending, device)
        return self._tables[device]


class ArcTables(NamedTuple):
    """The arcs by state; the last state has none and is where a symbol that was not allowed leads.

    Attributes:
        counts: (states,) int64, arcs of each state.
        begins: (states,) int64, place of its first arc.
        ids: (arcs,) int64.
        following: (arcs,) int64, the next states.
        distance: (states,) int64, the fewest symbols to the end of an output; 0 after an arc that ends it.
    """

    counts: Tensor
    begins: Tensor
    ids: Tensor
    following: Tensor
    distance: Tensor

    @classmethod
    def of(cls, table: Tensor, ending: int | None, device: torch.device) -> "ArcTables":
        """Makes the tables of arcs (arcs, 3) in ascending order."""
        begins, ids, following = table.unbind(1)
        states = int(table[:, (0, 2)].max()) + 2
        counts = torch.bincount(begins, minlength=states)
        distance = torch.full((states,), NOWHERE)
        distance[following[ids == ending]] = 0
        while True:
            closer = distance.scatter_reduce(0, begins, distance[following] + 1, "amin")
            if torch.equal(closer, distance):
                break
            distance = closer
        parts = (counts, counts.cumsum(0) - counts, ids, following, distance)
        return cls(*(part.contiguous().to(device) for part in parts))

    def arcs_of(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The arcs of states (rows,): ids, places among all arcs, whether it is one; each (rows, most arcs)."""
        counts = self.counts[states]
        columns = torch.arange(max(int(counts.max()), 1), device=states.device)
        real = columns < counts.unsqueeze(1)
        places = torch.where(real, self.begins[states].unsqueeze(1) + columns, 0)
        return self.ids[places], places, real


def trie(outputs: Iterable[Sequence[int]]) -> list[Arc]:
    """The arcs of the tree of some outputs, each with eos at its end."""
    states: dict[tuple[int, int], int] = {}
    for output in outputs:
        state = 0
        for symbol in output:
            state = states.setdefault((state, symbol), len(states) + 1)
    return [(state, symbol, following) for (state, symbol), following in states.items()]
