"""Walks back from the ends of hypotheses to their beginnings."""

from __future__ import annotations

import torch
from torch import Tensor


def walk_back(ids: Tensor, parents: Tensor, moves: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Follows the back-pointers of all hypotheses at once, from the last step to the first.

    Args:
        ids: (steps, batch, width) int64, the symbols that each step added.
        parents: (steps, batch, width) int64, the places before the step that they were added to.
        moves: (steps, batch, n or 1) bool, whether a step belongs to a hypothesis.
        places: (batch, n) int64, of the hypotheses after their last step.

    Returns:
        The symbols, and the places that each step continued, each (steps, batch, n); at a step that does not belong to
        a hypothesis the symbol means nothing and the place is that of its end.
    """
    symbols, before = [], []
    for t in range(len(ids) - 1, -1, -1):
        symbols.append(ids[t].gather(1, places))
        places = torch.where(moves[t], parents[t].gather(1, places), places)
        before.append(places)
    return torch.stack(symbols[::-1]), torch.stack(before[::-1])


def weights_of(attention: Tensor, before: Tensor) -> Tensor:
    """Reads hypotheses' attention weights.

    Args:
        attention: (steps, batch, width, source_len), by the places before each step.
        before: (steps, batch, n) int64, as `walk_back` gives them.

    Returns:
        (batch, n, steps, source_len).
    """
    shape = (*before.shape, attention.size(-1))
    return attention.gather(2, before.unsqueeze(3).expand(shape)).permute(1, 2, 0, 3)
