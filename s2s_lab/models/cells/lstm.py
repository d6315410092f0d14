"""The long short-term memory."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from s2s_lab.models.activations import tanh_
from s2s_lab.models.cells.base import FusedCell, State, last_real, mask_beyond

sigmoid_backward = torch.ops.aten.sigmoid_backward
tanh_backward = torch.ops.aten.tanh_backward
# A pre-activation at which the sigmoid is exactly 0 or 1 in every float type, whatever is added to it.
SATURATED = 1e4


class LSTMCell(FusedCell):
    """A cell c that is kept as far as the forget gate opens, read through the output gate.

    i, f, o = sigmoid(W x + U h) each, g = tanh(W_g x + U_g h), c' = f * c + i * g, h' = o * tanh(c'), with a bias on
    each product. State: (h, c).

    Paper: Hochreiter and Schmidhuber, Neural Computation 9, 1997; forget gate of Gers et al. 2000. Deviation, as in
    torch.nn.LSTM: no peepholes, two biases.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
        forget_bias: the forget gate's bias at the start, both biases together (Jozefowicz et al. 2015); None leaves
            what the initialization gave.
    """

    def __init__(self, *, input_size: int, hidden_size: int, forget_bias: float | None = 1.0) -> None:
        super().__init__(layer=nn.LSTM(input_size, hidden_size, batch_first=True), num_parts=2)
        self.forget_bias = forget_bias
        hold = torch.zeros(4, hidden_size, 1)  # input, forget, candidate, output
        hold[0], hold[1] = -SATURATED, SATURATED
        self.hold: Tensor
        self.register_buffer("hold", hold.flatten(0, 1), persistent=False)

    def initialize_biases(self) -> None:
        """Set the forget gate's bias to `forget_bias`; see Cell."""
        if self.forget_bias is None:
            return
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        _, _, input_bias, recurrent_bias = self.weights
        with torch.no_grad():
            input_bias[forget] = self.forget_bias
            recurrent_bias[forget] = 0.0

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        hidden, cell = state
        recurrent = self.recurrence(hidden if seen is None else seen)
        hidden, cell = _Gates.apply(projected, recurrent, cell.to(projected.dtype))  # type: ignore[misc]
        return hidden, (hidden, cell)

    def unroll(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step for each position in torch's fused kernel; see Cell."""
        hidden, cell = (part.unsqueeze(0) for part in state)
        if lengths is None:
            outputs, (hidden, cell) = self.layer(inputs, (hidden, cell))
            return outputs, (hidden.squeeze(0), cell.squeeze(0))
        if inputs.device.type == "cpu" or not inputs.shape[0]:
            return self.unroll_held(inputs, state, lengths)
        return self.unroll_packed(inputs, state, lengths)

    def unroll_held(self, inputs: Tensor, state: State, lengths: Tensor) -> tuple[Tensor, State]:
        """Unroll over padding too, the cell kept by its gates: the faster way on a CPU.

        torch's kernel takes no lengths without packing, and on a CPU packing shuts out the oneDNN kernel. A further
        input, 1 on padding, whose fixed weights close the input gate and open the forget gate, keeps c unchanged.
        """
        positions = torch.arange(inputs.shape[1], device=inputs.device)
        padding = (positions >= lengths.unsqueeze(1)).unsqueeze(2).to(inputs.dtype)
        input_weight, *others = self.weights
        weights = [torch.cat((input_weight, self.hold), dim=1), *others]
        start = [part.unsqueeze(0) for part in state]
        outputs, _, cell = torch.lstm(
            torch.cat((inputs, padding), dim=2), start, weights, True, 1, 0.0, self.training, False, True
        )
        return mask_beyond(outputs, lengths), (last_real(outputs, lengths), cell.squeeze(0))

    def unroll_packed(self, inputs: Tensor, state: State, lengths: Tensor) -> tuple[Tensor, State]:
        """Unroll a packed sequence: the way of accelerators, whose kernels know lengths."""
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed_outputs, (hidden, cell) = self.layer(packed, tuple(part.unsqueeze(0) for part in state))
        outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=inputs.shape[1])
        return outputs, (hidden.squeeze(0), cell.squeeze(0))


class _Gates(Function):
    """From W x and U h of all gates, input, forget, candidate and output side by side, and c to h' and c'."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, recurrent: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        size = cell.shape[1]
        gates = projected + recurrent
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=1)
        gates[:, : 2 * size].sigmoid_()
        tanh_(candidate)
        output_gate.sigmoid_()
        following = (forget_gate * cell).addcmul_(input_gate, candidate)
        shown = tanh_(following.clone())
        ctx.save_for_backward(gates, cell, shown)
        return output_gate * shown, following

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_hidden: Tensor, of_cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates, cell, shown = ctx.saved_tensors
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=1)
        of_gates = torch.empty_like(gates)
        of_input, of_forget, of_candidate, of_output = of_gates.chunk(4, dim=1)
        sigmoid_backward(of_hidden * shown, output_gate, grad_input=of_output)
        of_cell = tanh_backward(of_hidden * output_gate, shown).add_(of_cell)
        sigmoid_backward(of_cell * candidate, input_gate, grad_input=of_input)
        sigmoid_backward(of_cell * cell, forget_gate, grad_input=of_forget)
        tanh_backward(of_cell * input_gate, candidate, grad_input=of_candidate)
        return of_gates, of_gates, of_cell.mul_(forget_gate)
