"""What cells around another cell share."""

from s2s_lab.models.cells.base import Cell, Projection


class WrappedCell(Cell):
    """A cell that changes how another one steps; it has the sizes and projection of that one.

    Args:
        inner: the other cell.

    Attributes:
        inner: the other cell.
    """

    def __init__(self, inner: Cell) -> None:
        super().__init__(input_size=inner.input_size, hidden_size=inner.hidden_size, state_sizes=inner.state_sizes)
        self.inner = inner
        self.output_is_state = inner.output_is_state

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the inner cell's projection; see Cell."""
        return self.inner.projection(start, stop)
