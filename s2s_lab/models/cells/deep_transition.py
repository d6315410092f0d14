"""Several cells in one step."""

from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.base import Cell, State, unroll_steps
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.cells.wrapped import WrappedCell
from s2s_lab.models.checks import require_layers


class DeepTransitionCell(WrappedCell):
    """s_1 = cell_1(x, s), s_k = cell_k(s_(k-1)), s' = s_n: a step through cells of which the lowest alone reads x.

    Paper: Pascanu et al. 2014, arXiv 1312.6026; Miceli Barone et al. 2017, arXiv 1707.07631. Deviation: in place of no
    input the upper cells read the constant 1, so that each has one bias more.

    Args:
        cell: builds one of the cells.
        input_size: width of an input.
        hidden_size: width of an output.
        depth: number of cells.

    Raises:
        RequestError: the cell does not read its previous output.
    """

    def __init__(self, *, cell: CellFactory, input_size: int, hidden_size: int, depth: int = 2) -> None:
        require_layers("transition.depth", depth)
        super().__init__(cell(input_size=input_size, hidden_size=hidden_size))
        if not self.output_is_state:
            raise RequestError("transition=deep needs a cell that reads its previous output; cell=sru reads none")
        self.upper = nn.ModuleList(cell(input_size=1, hidden_size=hidden_size) for _ in range(depth - 1))

    @property
    def upper_cells(self) -> tuple[Cell, ...]:
        """The cells above the lowest, lowest first."""
        return tuple(self.upper)  # type: ignore[arg-type]

    def shares(self) -> tuple[Tensor, ...]:
        """Give what the constant input gives each upper cell: (1, projected)."""
        one = next(self.parameters()).new_ones(1, 1)
        return tuple(cell.projection()(one) for cell in self.upper_cells)

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        output, state = self.inner.advance(projected, state, seen)
        return self.climb(output, state, self.shares())

    def unroll(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step for each position, in the cell's own way where it is alone; see Cell."""
        if not self.upper:
            return self.inner.unroll(inputs, state, lengths)
        shares = self.shares()

        def advance(projected: Tensor, state: State) -> tuple[Tensor, State]:
            return self.climb(*self.inner.advance(projected, state), shares)

        return unroll_steps(advance, self.projection()(inputs), state, lengths)

    def climb(self, output: Tensor, state: State, shares: tuple[Tensor, ...]) -> tuple[Tensor, State]:
        """Go from the lowest cell's output and state through the upper cells."""
        for cell, share in zip(self.upper_cells, shares, strict=True):
            output, state = cell.advance(share.expand(len(output), -1), state)
        return output, state
