"""Prefixes of one length that wait to be opened, for all sentences of a batch, with the states that open them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.candidates import top
from s2s_lab.nested import leaves, map_leaves, select_rows


class Opened(NamedTuple):
    """Prefixes that are opened together, `width` for each of some sentences.

    Attributes:
        values: (rows, width) log-probabilities, -inf for a dead one.
        prefixes: (rows, width, length) int64.
        state: nested tuples of tensors (rows x width, ...) before the last symbol of the prefix is read.
    """

    values: Tensor
    prefixes: Tensor
    state: Any


class Level:
    """The waiting prefixes of one length, best first, each as a symbol after a parent that was opened before.

    A parent's state and ids are kept in a slot of its sentence. The slots of a sentence are free again once nothing
    that waits there beats the bound, so a depth-first search keeps the states of one path.

    Args:
        vocab: the vocabulary's size.
        most: prefixes of a sentence that are kept, the best ones.
        like: (batch,) in the type and on the device of the log-probabilities.

    Attributes:
        values: (batch, waiting) log-probabilities, best first, -inf where none waits; at least one column.
    """

    def __init__(self, *, vocab: int, most: int, like: Tensor) -> None:
        self._batch, self._vocab, self._most = len(like), vocab, most
        self.values = like.new_full((self._batch, 1), -torch.inf)
        self._codes = torch.zeros_like(self.values, dtype=torch.int64)
        self._used = self._codes[:, 0].clone()
        self._slots = 0

    def put(self, rows: Tensor, sums: Tensor, parents: Opened, bound: Tensor) -> Tensor:
        """Takes in the children of opened prefixes that beat the bound.

        Args:
            rows: (rows,) int64, the sentences.
            sums: (rows, width x vocab) log-probabilities of all children.
            parents: what was opened, with the state after it.
            bound: (rows,) what a child must beat.

        Returns:
            (rows,) the highest log-probability of those that were too many to be kept, -inf where none.
        """
        too_many = sums.new_full((len(rows),), -torch.inf)
        count = min(int((sums > bound.unsqueeze(1)).sum(1).max()), self._most + 1)
        if count == 0:
            return too_many
        values, places = top(sums, count)
        fertile = values[:, 0] > bound
        waiting, codes = self.values.index_select(0, rows), self._codes.index_select(0, rows)
        used = self._used.index_select(0, rows)
        used = torch.where(waiting[:, 0] > bound, used, 0)
        codes = torch.cat((codes, used.unsqueeze(1) * self._vocab + places), 1)
        values = torch.cat((waiting, values), 1)
        values = values.masked_fill(values <= bound.unsqueeze(1), -torch.inf)
        kept = min(int((values > -torch.inf).sum(1).max()), self._most + 1)
        values, order = top(values, kept)
        codes = codes.gather(1, order)
        if kept > self._most:
            too_many, values, codes = values[:, -1], values[:, :-1], codes[:, :-1]
        self._write(rows, values, codes)
        self._keep_parents(rows, used, parents)
        self._used.index_copy_(0, rows, used + torch.where(fertile, parents.values.size(1), 0))
        return too_many

    def take(self, rows: Tensor, counts: Tensor, width: int, bound: Tensor) -> Opened:
        """Takes out the best prefixes; those that no longer beat the bound are dead.

        Args:
            rows: (rows,) int64, the sentences.
            counts: (rows,) int64, the most prefixes of each sentence, at least 1.
            width: places for each sentence.
            bound: (rows,) what a prefix must beat.

        Returns:
            The prefixes.
        """
        values, codes = self.values.index_select(0, rows), self._codes.index_select(0, rows)
        missing = max(width - values.size(1), 0)
        values = torch.nn.functional.pad(values, (0, width + missing), value=-torch.inf)
        codes = torch.nn.functional.pad(codes, (0, width + missing))
        counts = counts.clamp(max=width).unsqueeze(1)
        chosen = values[:, :width].masked_fill(torch.arange(width, device=rows.device) >= counts, -torch.inf)
        chosen = chosen.masked_fill(chosen <= bound.unsqueeze(1), -torch.inf)
        rest = torch.arange(self.values.size(1), device=rows.device) + counts
        self.values.index_copy_(0, rows, values.gather(1, rest))
        self._codes.index_copy_(0, rows, codes.gather(1, rest))
        slots = codes[:, :width].div(self._vocab, rounding_mode="floor")
        ids = codes[:, :width].remainder(self._vocab)
        parents = rows.unsqueeze(1) * self._slots + slots  # (rows, width)
        prefixes = self._prefixes.index_select(0, parents.flatten()).unflatten(0, parents.shape)
        prefixes = torch.cat((prefixes, ids.unsqueeze(2)), 2)
        return Opened(chosen, prefixes, select_rows(self._state, parents.flatten()))

    def _write(self, rows: Tensor, values: Tensor, codes: Tensor) -> None:
        more = values.size(1) - self.values.size(1)
        if more > 0:
            self.values = torch.nn.functional.pad(self.values, (0, more), value=-torch.inf)
            self._codes = torch.nn.functional.pad(self._codes, (0, more))
        elif more < 0:
            values = torch.nn.functional.pad(values, (0, -more), value=-torch.inf)
            codes = torch.nn.functional.pad(codes, (0, -more))
        self.values.index_copy_(0, rows, values)
        self._codes.index_copy_(0, rows, codes)

    def _keep_parents(self, rows: Tensor, used: Tensor, parents: Opened) -> None:
        width = parents.values.size(1)
        needed = int(used.max()) + width
        if self._slots == 0:
            self._prefixes, self._state = map_leaves(
                lambda leaf: leaf.new_zeros((self._batch * needed, *leaf.shape[1:])),
                (parents.prefixes.flatten(0, 1), parents.state),
            )
            self._slots = needed
        elif needed > self._slots:
            slots, self._slots = self._slots, max(needed, 2 * self._slots)
            self._prefixes, self._state = map_leaves(
                lambda leaf: _widened(leaf, slots, self._slots), (self._prefixes, self._state)
            )
        places = (rows * self._slots + used).unsqueeze(1) + torch.arange(width, device=rows.device)
        kept = leaves((self._prefixes, self._state))
        for stored, new in zip(kept, leaves((parents.prefixes.flatten(0, 1), parents.state)), strict=True):
            stored.index_copy_(0, places.flatten(), new)


def _widened(leaf: Tensor, slots: int, more: int) -> Tensor:
    """A leaf (batch x slots, ...) with more slots for each sentence."""
    wide = leaf.new_zeros((len(leaf) // slots, more, *leaf.shape[1:]))
    wide[:, :slots] = leaf.unflatten(0, (-1, slots))
    return wide.flatten(0, 1)
