"""Dropout of inputs and recurrent outputs with one mask for a whole sequence."""

from torch import Tensor
from torch.nn import functional

from s2s_lab.models.cells.base import Projection, State, unroll_steps
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.cells.wrapped import WrappedCell
from s2s_lab.models.checks import require_dropout


class VariationalDropoutCell(WrappedCell):
    """A cell whose products read x * m and h * k, the masks m and k being the same at every step of a sequence.

    A mask is 0 with its probability, else 1 / (1 - probability), and each row has its own. In training the first step
    draws them and puts them behind the parts of the state, where they stay; outside training this is the plain cell. A
    cell whose products read no output, as the simple recurrent unit, has m alone.

    Paper: Gal and Ghahramani 2016, arXiv 1512.05287, equation 7: one mask for all gates. Deviations: what a cell
    keeps elementwise of h, as the gated recurrent unit does, is not dropped; what the simple recurrent unit lets
    through of its input is x * m; in a deep transition k drops what the lowest cell reads of the step before, and
    what the cells above it read of each other within the step is whole.

    Args:
        cell: builds the cell.
        input_size: width of an input.
        hidden_size: width of an output.
        inputs: probability of zeroing a unit of the input.
        recurrent: probability of zeroing a unit of the previous output.
    """

    def __init__(
        self, *, cell: CellFactory, input_size: int, hidden_size: int, inputs: float = 0.2, recurrent: float = 0.2
    ) -> None:
        require_dropout("cell_dropout.inputs", inputs)
        require_dropout("cell_dropout.recurrent", recurrent)
        super().__init__(cell(input_size=input_size, hidden_size=hidden_size))
        self.inputs = inputs
        self.recurrent = recurrent if self.output_is_state else 0.0

    @property
    def active(self) -> bool:
        """Whether anything is dropped now."""
        return self.training and bool(self.inputs or self.recurrent)

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the cell's projection; where inputs are dropped, the inputs themselves among zeros.

        They wait for the mask, which lies in the state; see Cell.
        """
        if not (self.active and self.inputs):
            return self.inner.projection(start, stop)
        behind = 0 if stop is None else self.input_size - stop
        return lambda inputs: functional.pad(inputs, (start, behind))

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from what `projection` gives; the next state holds the masks; see Cell."""
        parts, masks = self.with_masks(state)
        if self.active:
            input_mask, recurrent_mask = masks
            seen = (parts[0] if seen is None else seen) * recurrent_mask
            if self.inputs:
                projected = self.inner.projection()(projected * input_mask)
        output, following = self.inner.advance(projected, parts, seen)
        return output, (*following, *masks)

    def unroll(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step for each position; the final state holds masks where `state` does; see Cell."""
        parts, masks = self.with_masks(state)
        held = masks if len(state) > len(parts) else ()
        if not self.active:
            outputs, final = self.inner.unroll(inputs, parts, lengths)
            return outputs, (*final, *held)
        input_mask, recurrent_mask = masks
        if self.inputs:
            inputs = inputs * input_mask.unsqueeze(1)
        if not self.recurrent:
            outputs, final = self.inner.unroll(inputs, parts, lengths)
            return outputs, (*final, *held)

        def advance(projected: Tensor, parts: State) -> tuple[Tensor, State]:
            return self.inner.advance(projected, parts, parts[0] * recurrent_mask)

        outputs, final = unroll_steps(advance, self.inner.projection()(inputs), parts, lengths)
        return outputs, (*final, *held)

    def with_masks(self, state: State) -> tuple[State, State]:
        """Give the cell's own parts of a state, and the masks behind them, drawn in training where there are none."""
        parts, masks = self.split(state)
        if self.active and not masks:
            masks = (
                drawn(parts[0].new_ones(len(parts[0]), self.input_size), self.inputs),
                drawn(parts[0].new_ones(len(parts[0]), self.hidden_size), self.recurrent),
            )
        return parts, masks


def drawn(ones: Tensor, rate: float) -> Tensor:
    """Give a mask of the shape of `ones`: 0 with probability `rate`, else 1 / (1 - rate)."""
    return functional.dropout(ones.float(), rate).to(ones.dtype)
