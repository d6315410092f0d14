"""Reading a source forwards, backwards or both ways."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from s2s_lab.models.cells.base import Cell, State


def mirrored(lengths: Tensor, source_len: int) -> Tensor:
    """Give the order (batch, source_len) that turns the real positions round and leaves padding where it is."""
    positions = torch.arange(source_len, device=lengths.device)
    return torch.where(positions < lengths.unsqueeze(1), lengths.unsqueeze(1) - 1 - positions, positions)


def unroll_both(
    forward_cell: nn.Module, backward_cell: nn.Module, inputs: Tensor, lengths: Tensor, mirror: Tensor
) -> tuple[Tensor, State]:
    """Unroll two cells from their initial states, one of them backwards.

    Args:
        forward_cell: reads from the first position to the last.
        backward_cell: reads from the last to the first.
        inputs: (batch, length, input_size).
        lengths: (batch,), real positions.
        mirror: what `mirrored` gives for them.

    Returns:
        The outputs (batch, length, both sizes), 0 on padding, and the final state, directions concatenated.
    """
    outputs, state = unroll_from_zero(forward_cell, inputs, lengths)
    backward, backward_state = unroll_from_zero(backward_cell, reorder(inputs, mirror), lengths)
    together = tuple(torch.cat(parts, dim=1) for parts in zip(state, backward_state, strict=True))
    return torch.cat((outputs, reorder(backward, mirror)), dim=2), together


def unroll_from_zero(cell: nn.Module, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
    """Unroll a cell from its initial state; see Cell.unroll."""
    assert isinstance(cell, Cell)
    return cell.unroll(inputs, cell.initial_state(inputs.shape[0]), lengths)


def reorder(sequences: Tensor, order: Tensor) -> Tensor:
    """Put the entries of each sequence in another order.

    Args:
        sequences: (batch, length, size).
        order: (batch, length), for each row a permutation of the positions that is its own inverse.
    """
    return _Reorder.apply(sequences, order)  # type: ignore[return-value]


class _Reorder(Function):
    """Reordering by a permutation that is its own inverse, so that its gradient is a copy and not a scattered sum."""

    @staticmethod
    def forward(ctx: Any, sequences: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        rows = torch.arange(order.shape[0], device=order.device).unsqueeze(1)
        return sequences.flatten(0, 1).index_select(0, (rows * order.shape[1] + order).flatten()).view_as(sequences)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return reorder(gradient, order), None
