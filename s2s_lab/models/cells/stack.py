"""Recurrent layers on top of each other, stepping together."""

from typing import Protocol

from torch import Tensor, nn

from s2s_lab.models.cells.base import Cell, Projection, State
from s2s_lab.models.checks import require_dropout, require_layers, require_positive

StackState = tuple[State, ...]


class CellFactory(Protocol):
    """What builds a cell for given sizes."""

    def __call__(self, *, input_size: int, hidden_size: int) -> Cell:
        """Build one cell."""
        ...


class CellStack(nn.Module):
    """Cells of one kind and width, each fed by the one below.

    Args:
        cell: builds a cell.
        input_size: width of an input of the lowest cell.
        hidden_size: width of every output.
        num_layers: number of cells.
        dropout: probability of zeroing an input of the cells above the lowest, drawn anew at each step.
        residual: whether what each cell above the lowest reads, before dropout, is added to its output (Wu et al.
            2016, arXiv 1609.08144, equation 6); states hold outputs without it.

    Attributes:
        state_sizes: for each layer, the width of each part of its state.
    """

    def __init__(
        self,
        *,
        cell: CellFactory,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        require_layers("num_layers", num_layers)
        require_positive("hidden_size", hidden_size)
        require_dropout("dropout", dropout)
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(cell(input_size=size, hidden_size=hidden_size) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        self.residual = residual
        self.state_sizes = tuple(layer.state_sizes for layer in self.cells)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, lowest first."""
        return tuple(self.layers)  # type: ignore[arg-type]

    def initial_state(self, rows: int) -> StackState:
        """Give a state of zeros for each layer."""
        return tuple(cell.initial_state(rows) for cell in self.cells)

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the lowest cell's projection of the input's columns `start` to `stop`; see Cell."""
        return self.cells[0].projection(start, stop)

    def advance(self, projected: Tensor, state: StackState) -> tuple[Tensor, StackState]:
        """Make one step from an input (rows, projected) projected for the lowest cell; see Cell."""
        output, lowest = self.cells[0].advance(projected, state[0])
        following = [lowest]
        for cell, parts in zip(self.cells[1:], state[1:], strict=True):
            found, parts = cell.step(self.dropout(output), parts)
            output = found + output if self.residual else found
            following.append(parts)
        return output, tuple(following)

    def step(self, input: Tensor, state: StackState) -> tuple[Tensor, StackState]:
        """Make one step: input (rows, input_size) to the top output (rows, hidden) and the next state."""
        return self.advance(self.projection()(input), state)

    def unroll(self, inputs: Tensor, state: StackState, lengths: Tensor | None = None) -> tuple[Tensor, StackState]:
        """Unroll layer after layer.

        Args:
            inputs: (rows, length, input_size).
            state: for each layer, parts (rows, size).
            lengths: (rows,), as in Cell.

        Returns:
            The top outputs (rows, length, hidden) and the final state.
        """
        final = []
        outputs = inputs
        for index, (cell, parts) in enumerate(zip(self.cells, state, strict=True)):
            found, parts = cell.unroll(outputs if index == 0 else self.dropout(outputs), parts, lengths)
            outputs = found + outputs if self.residual and index else found
            final.append(parts)
        return outputs, tuple(final)
