"""The gated recurrent unit, with its reset gate after or before the product that it resets."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from s2s_lab.models.activations import tanh_
from s2s_lab.models.cells.base import FusedCell, State
from s2s_lab.models.cells.gated import GatedCell

sigmoid_backward = torch.ops.aten.sigmoid_backward
tanh_backward = torch.ops.aten.tanh_backward


class GRUCell(FusedCell):
    """A state that is renewed as far as its update gate opens.

    r = sigmoid(W_r x + U_r h), z = sigmoid(W_z x + U_z h), n = tanh(W_n x + r * (U_n h)), h' = (1 - z) * n + z * h,
    with a bias on each product.

    Paper: Cho et al. 2014, arXiv 1406.1078, as its first version prints it: the reset gate multiplies U_n h. Later
    versions, equations 5 to 8, multiply h itself, as ResetBeforeGRUCell does. Deviation, as in torch.nn.GRU: biases.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(layer=nn.GRU(input_size, hidden_size, batch_first=True))

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        (hidden,) = state
        recurrent = self.recurrence(hidden if seen is None else seen)
        hidden = _Gates.apply(projected, recurrent, hidden.to(projected.dtype))
        return hidden, (hidden,)


class ResetBeforeGRUCell(GatedCell):
    """A GRU whose reset gate multiplies the state, before the product with it.

    r = sigmoid(W_r x + U_r h + b_r), z = sigmoid(W_z x + U_z h + b_z), n = tanh(W_n x + U_n (r * h) + b_n),
    h' = (1 - z) * n + z * h.

    Paper: Cho et al. 2014, arXiv 1406.1078, third version, equations 5 to 8. Deviation: biases.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(
            input_size=input_size, hidden_size=hidden_size, gates=("reset", "update", "candidate"), num_recurrent=2
        )
        self.weight_hh_candidate = self.drawn(hidden_size, hidden_size)

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        (hidden,) = state
        seen = hidden if seen is None else seen
        of_gates, of_candidate = projected.split((2 * self.hidden_size, self.hidden_size), dim=1)
        r, z = torch.sigmoid(of_gates + self.recurrence(seen)).chunk(2, dim=1)
        n = torch.tanh(of_candidate + functional.linear(r * seen, self.weight_hh_candidate))
        hidden = torch.lerp(n, hidden.to(n.dtype), z)
        return hidden, (hidden,)


class _Gates(Function):
    """From W x and U h of all gates, reset, update and candidate side by side, and h to h'."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
        size = hidden.shape[1]
        gates = (projected[:, : 2 * size] + recurrent[:, : 2 * size]).sigmoid_()
        reset, update = gates.chunk(2, dim=1)
        candidate = torch.addcmul(projected[:, 2 * size :], reset, recurrent[:, 2 * size :])
        tanh_(candidate)
        ctx.save_for_backward(gates, candidate, recurrent, hidden)
        return torch.lerp(candidate, hidden, update)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates, candidate, recurrent, hidden = ctx.saved_tensors
        size = hidden.shape[1]
        reset, update = gates.chunk(2, dim=1)
        of_hidden = gradient * update
        of_projected = torch.empty_like(recurrent)
        of_reset, of_update, of_candidate = of_projected.chunk(3, dim=1)
        tanh_backward(gradient - of_hidden, candidate, grad_input=of_candidate)
        sigmoid_backward((hidden - candidate).mul_(gradient), update, grad_input=of_update)
        sigmoid_backward(of_candidate * recurrent[:, 2 * size :], reset, grad_input=of_reset)
        of_recurrent = of_projected.clone()
        of_recurrent[:, 2 * size :].mul_(reset)
        return of_projected, of_recurrent, of_hidden
