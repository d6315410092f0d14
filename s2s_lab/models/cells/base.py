"""The contract of a recurrent cell: one step of its equations, and the unrolling of many steps."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, ...]
Projection = Callable[[Tensor], Tensor]


class Cell(nn.Module, ABC):
    """One recurrent layer in one direction.

    A step has two halves. The first, `projection`, depends on the input alone, so that it can be computed for a
    whole sequence at once. The second, `advance`, depends on the previous state.

    Attributes:
        input_size: width of an input.
        hidden_size: width of an output.
        state_sizes: width of each part of the state; part 0 is as wide as the output.
        output_is_state: whether part 0 is the output, and products read it at the next step.
    """

    output_is_state = True

    def __init__(self, *, input_size: int, hidden_size: int, state_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.state_sizes = state_sizes

    @abstractmethod
    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the map from the input's columns `start` to `stop` to their share of the cell's pre-activations.

        Shares add up: the projection of a whole input is the sum of those of its pieces. Take it once before a
        loop over steps. Input biases belong to the share with `start` 0.

        Returns:
            A function from (..., stop - start) to (..., projected), the width of which is the cell's own affair.
        """

    @abstractmethod
    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from a projected input.

        Args:
            projected: (rows, projected), a projection of the whole input.
            state: parts (rows, size), in the order of `state_sizes`.
            seen: (rows, hidden), what products read in place of the previous output, which a dropout may have changed;
                None means that output itself.

        Returns:
            The output (rows, hidden) and the next state.
        """

    def initialize_biases(self) -> None:
        """Set those biases, and other parameters, that the cell wants at fixed values.

        Called after the general initialization.
        """

    def initial_state(self, rows: int) -> State:
        """Give a state of zeros: parts (rows, size)."""
        reference = next(self.parameters())
        return tuple(reference.new_zeros(rows, size) for size in self.state_sizes)

    def split(self, state: State) -> tuple[State, State]:
        """Give the parts of a state that `state_sizes` names, and what the cell itself keeps behind them.

        A cell may keep there what it draws for a whole sequence. Another cell that goes on from this one's state must
        get the first alone.
        """
        count = len(self.state_sizes)
        return state[:count], state[count:]

    def step(self, input: Tensor, state: State) -> tuple[Tensor, State]:
        """Make one step.

        Args:
            input: (rows, input_size).
            state: parts (rows, size).

        Returns:
            The output (rows, hidden) and the next state.
        """
        return self.advance(self.projection()(input), state)

    def unroll(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step for each position; equal to repeated `step`.

        Args:
            inputs: (rows, length, input_size).
            state: parts (rows, size), the state before the first step.
            lengths: (rows,), at least 1: the number of real steps of each row; None means all of them.

        Returns:
            The outputs (rows, length, hidden), 0 beyond `lengths`, and the state after each row's last real step.
        """
        return unroll_steps(self.advance, self.projection()(inputs), state, lengths)


class FusedCell(Cell):
    """A cell whose parameters, and whose kernel for many steps, are those of a one-layer module of torch.

    A variant gives the module and `advance`, which reads like its equations.

    Args:
        layer: one layer, one direction, batch first, with biases.
        num_parts: number of parts of the state, each as wide as the output.
    """

    def __init__(self, *, layer: nn.RNNBase, num_parts: int = 1) -> None:
        hidden_size = layer.hidden_size
        super().__init__(input_size=layer.input_size, hidden_size=hidden_size, state_sizes=(hidden_size,) * num_parts)
        self.layer = layer

    @property
    def weights(self) -> list[nn.Parameter]:
        """W (gates x hidden, input_size), U (gates x hidden, hidden) and their biases."""
        return self.layer.all_weights[0]

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the map from the input's columns to W x + b of every gate; see Cell."""
        input_weight, _, input_bias, _ = self.weights
        return linear_projection(input_weight, input_bias, start, stop)

    def recurrence(self, hidden: Tensor) -> Tensor:
        """Give U h + d of every gate (rows, gates x hidden) for an output h (rows, hidden)."""
        _, recurrent_weight, _, recurrent_bias = self.weights
        return functional.linear(hidden, recurrent_weight, recurrent_bias)

    def unroll(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step for each position in torch's fused kernel, where the state is the output; see Cell."""
        outputs, final = self.layer(inputs, state[0].unsqueeze(0))
        if lengths is None:
            return outputs, (final.squeeze(0),)
        return mask_beyond(outputs, lengths), (last_real(outputs, lengths),)


def unroll_steps(
    advance: Callable[[Tensor, State], tuple[Tensor, State]],
    projected: Tensor,
    state: State,
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    """Make one step after the other from projected inputs (rows, length, projected); see Cell.unroll."""
    outputs = []
    for position in range(projected.shape[1]):
        output, following = advance(projected[:, position], state)
        if lengths is not None:
            real = (position < lengths).unsqueeze(1)
            output = output.masked_fill(~real, 0.0)
            following = tuple(torch.where(real, new, old) for new, old in zip(following, state, strict=True))
        outputs.append(output)
        state = following
    return torch.stack(outputs, dim=1), state


def linear_projection(weight: Tensor, bias: Tensor | None, start: int, stop: int | None) -> Projection:
    """Give the linear map of the columns `start` to `stop` of `weight`, biased where `start` is 0.

    The columns are cut out, and under autocast converted, once for all calls of the map.

    Args:
        weight: (projected, input_size).
        bias: (projected,), or None.
        start: first column.
        stop: the column after the last; None means all that follow.
    """
    offset = bias if start == 0 else None
    if start == 0 and stop in (None, weight.shape[1]):
        return lambda inputs: functional.linear(inputs, weight, offset)
    columns = weight[:, start:stop]
    if torch.is_autocast_enabled(weight.device.type):
        columns = columns.to(torch.get_autocast_dtype(weight.device.type))
    return lambda inputs: functional.linear(inputs, columns, offset)


def mask_beyond(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Set what lies beyond `lengths` (rows,) in `outputs` (rows, length, size) to 0."""
    positions = torch.arange(outputs.shape[1], device=outputs.device)
    return outputs.masked_fill((positions >= lengths.unsqueeze(1)).unsqueeze(2), 0.0)


def last_real(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Give (rows, size), the entry of `outputs` (rows, length, size) at each row's last real position."""
    last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, outputs.shape[2])
    return outputs.gather(1, last).squeeze(1)
