"""Walks back from the ends of hypotheses to their beginnings."""

from __future__ import annotations

import torch
from torch import Tensor


def walk_back(parents: Tensor, moves: Tensor, places: Tensor) -> Tensor:
    """Follows the back-pointers of all hypotheses at once, from the last step to the first.

    Args:
        parents: (steps, batch, width) int64, the places before each step that its places continue.
        moves: (steps, batch, n or 1) bool, whether a step belongs to a hypothesis.
        places: (batch, n) int64, of the hypotheses after their last step.

    Returns:
        (steps + 1, batch, n) int64, the places before each step, and those after the last one; at a step that does not
        belong to a hypothesis the place is that of its end.
    """
    path = [places]
    for t in range(len(parents) - 1, -1, -1):
        path.append(torch.where(moves[t], parents[t].gather(1, path[-1]), path[-1]))
    path.reverse()
    return torch.stack(path)


def weights_of(attention: Tensor, before: Tensor) -> Tensor:
    """Reads hypotheses' attention weights.

    Args:
        attention: (steps, batch, width, source_len), by the places before each step.
        before: (steps, batch, n) int64, the hypotheses' places before each step.

    Returns:
        (batch, n, steps, source_len).
    """
    shape = (*before.shape, attention.size(-1))
    return attention.gather(2, before.unsqueeze(3).expand(shape)).permute(1, 2, 0, 3)
