"""The long short-term memory with peepholes, and what is left of it without one of its parts."""

import torch
from torch import Tensor
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.base import State
from s2s_lab.models.cells.gated import GatedCell

GATES = ("input", "forget", "output")


class PeepholeLSTMCell(GatedCell):
    """A memory c whose gates also see c itself, each unit its own.

    z = tanh(W_z x + U_z h + b_z), i = sigmoid(W_i x + U_i h + p_i * c + b_i),
    f = sigmoid(W_f x + U_f h + p_f * c + b_f), c' = i * z + f * c,
    o = sigmoid(W_o x + U_o h + p_o * c' + b_o), h' = o * tanh(c').
    State: (h, c), and with full gate recurrence (h, c, i, f, o).

    Paper: Gers and Schmidhuber, Recurrent nets that time and count, IJCNN 2000; Greff et al. 2017, arXiv 1503.04069,
    first version, sections 2 (this cell, there "vanilla") and 4.3 (its eight variants, each one option here).

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
        peepholes: whether the gates see c; without (NP), this is torch.nn.LSTM with one bias.
        input_gate: without (NIG), i = 1.
        forget_gate: without (NFG), f = 1.
        output_gate: without (NOG), o = 1.
        input_activation: without (NIAF), z is not squashed.
        output_activation: without (NOAF), h' = o * c'.
        coupled: f = 1 - i (CIFG).
        full_gate_recurrence: whether i, f and o also see all three gates of the step before (FGR).
        forget_bias: the forget gate's bias at the start, or what gives f the same start where it is coupled; None
            leaves what the initialization gave. The paper has none.

    Raises:
        RequestError: `coupled` or `full_gate_recurrence` without one of the gates that they join; `forget_bias` without
            forget gate.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        peepholes: bool = True,
        input_gate: bool = True,
        forget_gate: bool = True,
        output_gate: bool = True,
        input_activation: bool = True,
        output_activation: bool = True,
        coupled: bool = False,
        full_gate_recurrence: bool = False,
        forget_bias: float | None = 1.0,
    ) -> None:
        present = {"input": input_gate, "forget": forget_gate, "output": output_gate}
        check_parts(present, coupled=coupled, full_gate_recurrence=full_gate_recurrence, forget_bias=forget_bias)
        self_made = tuple(gate for gate in GATES if present[gate] and not (coupled and gate == "forget"))
        fixed = {} if forget_bias is None else {"input": -forget_bias} if coupled else {"forget": forget_bias}
        super().__init__(
            input_size=input_size,
            hidden_size=hidden_size,
            gates=("block", *self_made),
            state_sizes=(hidden_size,) * (5 if full_gate_recurrence else 2),
            fixed_biases=fixed,
        )
        self.coupled = coupled
        self.squash_input = torch.tanh if input_activation else unchanged
        self.squash_output = torch.tanh if output_activation else unchanged
        self.peephole_input, self.peephole_forget, self.peephole_output = (
            self.drawn(hidden_size) if peepholes and gate in self_made else None for gate in GATES
        )
        self.weight_hh_gates = self.drawn(3 * hidden_size, 3 * hidden_size) if full_gate_recurrence else None

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        hidden, cell, *gates = state
        sums = projected + self.recurrence(hidden if seen is None else seen)
        block, *others = sums.chunk(len(self.gates), dim=1)
        of_gate = dict(zip(self.gates[1:], others, strict=True))
        if self.weight_hh_gates is not None:
            of_gates = functional.linear(torch.cat(gates, dim=1), self.weight_hh_gates).chunk(3, dim=1)
            of_gate = {gate: of_gate[gate] + more for gate, more in zip(GATES, of_gates, strict=True)}
        z = self.squash_input(block)
        i = self.open(of_gate.get("input"), self.peephole_input, cell)
        f = 1.0 - i if self.coupled else self.open(of_gate.get("forget"), self.peephole_forget, cell)
        cell = i * z + f * cell
        o = self.open(of_gate.get("output"), self.peephole_output, cell)
        hidden = o * self.squash_output(cell)
        if self.weight_hh_gates is not None:
            return hidden, (hidden, cell, i, f, o)
        return hidden, (hidden, cell)

    def open(self, of_gate: Tensor | None, peephole: Tensor | None, cell: Tensor) -> Tensor:
        """Give how far a gate is open (rows, hidden), or 1 where there is none.

        Args:
            of_gate: (rows, hidden), what input, output and gates give it; None without the gate.
            peephole: (hidden,), or None where it does not see `cell`.
            cell: (rows, hidden).
        """
        if of_gate is None:
            return cell.new_ones(())
        return torch.sigmoid(of_gate if peephole is None else of_gate + peephole * cell)


def unchanged(values: Tensor) -> Tensor:
    """Give the values as they are: no activation."""
    return values


def check_parts(
    present: dict[str, bool], *, coupled: bool, full_gate_recurrence: bool, forget_bias: float | None
) -> None:
    """Raise a RequestError where one part of the cell needs another that is left out."""
    for gate in GATES:
        if present[gate]:
            continue
        if coupled and gate != "output":
            raise RequestError(f"cell.{gate}_gate is false, expected true: cell.coupled joins input and forget gate")
        if full_gate_recurrence:
            raise RequestError(f"cell.{gate}_gate is false, expected true: cell.full_gate_recurrence joins all gates")
        if gate == "forget" and forget_bias is not None:
            raise RequestError(f"cell.forget_bias is {forget_bias}, expected null without a forget gate")
    if coupled and full_gate_recurrence:
        raise RequestError("cell.coupled is true, expected false: cell.full_gate_recurrence joins three gates")
