"""Cells equal torch's own, their equations, and their own repeated steps."""

import pytest
import torch
from torch import nn

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.base import Cell
from s2s_lab.models.cells.elman import ElmanCell
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell

ROWS, LENGTH, INPUT, HIDDEN = 5, 7, 3, 4
LENGTHS = torch.tensor([7, 1, 4, 6, 2])


def elman_tanh(**sizes) -> Cell:
    return ElmanCell(**sizes)


def elman_relu(**sizes) -> Cell:
    return ElmanCell(nonlinearity="relu", **sizes)


CELLS = [elman_tanh, elman_relu, GRUCell, LSTMCell]


def random_state(cell: Cell, rows: int = ROWS) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn_like(part) for part in cell.initial_state(rows))


@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (elman_tanh, nn.RNNCell(INPUT, HIDDEN)),
        (elman_relu, nn.RNNCell(INPUT, HIDDEN, nonlinearity="relu")),
        (GRUCell, nn.GRUCell(INPUT, HIDDEN)),
        (LSTMCell, nn.LSTMCell(INPUT, HIDDEN)),
    ],
)
def test_step_equals_torchs_cell(cell, reference):
    built = cell(input_size=INPUT, hidden_size=HIDDEN)
    with torch.no_grad():
        for mine, theirs in zip(built.parameters(), reference.parameters(), strict=True):
            theirs.copy_(mine)
    inputs, state = torch.randn(ROWS, INPUT), random_state(built)
    expected = reference(inputs, state if len(state) > 1 else state[0])
    output, following = built.step(inputs, state)
    for mine, theirs in zip(following, expected if isinstance(expected, tuple) else (expected,), strict=True):
        torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(output, following[0])


def test_gru_step_follows_its_equations():
    cell = GRUCell(input_size=INPUT, hidden_size=HIDDEN).double()
    x, h = torch.randn(INPUT, dtype=torch.float64), torch.randn(HIDDEN, dtype=torch.float64)
    w, u, b, d = cell.weights
    w_r, w_z, w_n = w.split(HIDDEN)
    u_r, u_z, u_n = u.split(HIDDEN)
    b_r, b_z, b_n = b.split(HIDDEN)
    d_r, d_z, d_n = d.split(HIDDEN)
    r = torch.sigmoid(w_r @ x + b_r + u_r @ h + d_r)
    z = torch.sigmoid(w_z @ x + b_z + u_z @ h + d_z)
    n = torch.tanh(w_n @ x + b_n + r * (u_n @ h + d_n))
    output, _ = cell.step(x.unsqueeze(0), (h.unsqueeze(0),))
    torch.testing.assert_close(output[0], (1 - z) * n + z * h)


def test_lstm_step_follows_its_equations():
    cell = LSTMCell(input_size=INPUT, hidden_size=HIDDEN).double()
    x = torch.randn(INPUT, dtype=torch.float64)
    h, c = torch.randn(2, HIDDEN, dtype=torch.float64)
    w, u, b, d = cell.weights
    i, f, g, o = (w @ x + b + u @ h + d).split(HIDDEN)
    expected_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    expected_h = torch.sigmoid(o) * torch.tanh(expected_c)
    _, (next_h, next_c) = cell.step(x.unsqueeze(0), (h.unsqueeze(0), c.unsqueeze(0)))
    torch.testing.assert_close(next_c[0], expected_c)
    torch.testing.assert_close(next_h[0], expected_h)


def test_elman_step_follows_its_equation():
    cell = ElmanCell(input_size=INPUT, hidden_size=HIDDEN).double()
    x, h = torch.randn(INPUT, dtype=torch.float64), torch.randn(HIDDEN, dtype=torch.float64)
    w, u, b, d = cell.weights
    output, _ = cell.step(x.unsqueeze(0), (h.unsqueeze(0),))
    torch.testing.assert_close(output[0], torch.tanh(w @ x + b + u @ h + d))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("cell", CELLS)
def test_unroll_equals_repeated_step(cell, lengths):
    built = cell(input_size=INPUT, hidden_size=HIDDEN)
    inputs, state = torch.randn(ROWS, LENGTH, INPUT), random_state(built)
    outputs, final = built.unroll(inputs, state, lengths)
    expected_outputs, expected_final = Cell.unroll(built, inputs, state, lengths)
    torch.testing.assert_close(outputs, expected_outputs, atol=1e-6, rtol=1e-5)
    for part, expected in zip(final, expected_final, strict=True):
        torch.testing.assert_close(part, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("unroll", ["unroll", "loop"])
@pytest.mark.parametrize("cell", CELLS)
def test_lengths_hold_the_state_and_silence_the_outputs(cell, unroll):
    built = cell(input_size=INPUT, hidden_size=HIDDEN).double()
    inputs, state = torch.randn(ROWS, LENGTH, INPUT).double(), random_state(built)
    run = built.unroll if unroll == "unroll" else lambda *given: Cell.unroll(built, *given)
    outputs, final = run(inputs, state, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = tuple(part[row : row + 1] for part in state)
        expected_outputs, expected_final = built.unroll(inputs[row : row + 1, :length], alone)
        torch.testing.assert_close(outputs[row, :length], expected_outputs[0])
        assert outputs[row, length:].eq(0).all()
        for part, expected in zip(final, expected_final, strict=True):
            torch.testing.assert_close(part[row], expected[0])


def test_lstm_held_and_packed_unrolling_are_equal_in_value_and_gradient():
    cell = LSTMCell(input_size=INPUT, hidden_size=HIDDEN).double()
    inputs = torch.randn(ROWS, LENGTH, INPUT, dtype=torch.float64, requires_grad=True)
    results = []
    for unroll in (cell.unroll_held, cell.unroll_packed):
        cell.zero_grad()
        outputs, (hidden, memory) = unroll(inputs, cell.initial_state(ROWS), LENGTHS)
        loss = outputs.square().sum() + hidden.sum() + (3 * memory).sum()
        results.append([outputs, hidden, memory, *torch.autograd.grad(loss, [inputs, *cell.parameters()])])
    for held, packed in zip(*results, strict=True):
        torch.testing.assert_close(held, packed)


@pytest.mark.parametrize("cell", CELLS)
def test_shares_of_the_projection_add_up(cell):
    built = cell(input_size=INPUT, hidden_size=HIDDEN)
    inputs = torch.randn(ROWS, INPUT)
    parts = built.projection(0, 2)(inputs[:, :2]) + built.projection(2)(inputs[:, 2:])
    torch.testing.assert_close(parts, built.projection()(inputs))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_steps_pass_gradcheck(cell):
    built = cell(input_size=INPUT, hidden_size=HIDDEN).double()
    inputs = torch.randn(ROWS, 2, INPUT, dtype=torch.float64, requires_grad=True)
    start = tuple(torch.randn(ROWS, size, dtype=torch.float64, requires_grad=True) for size in built.state_sizes)

    def two_steps(inputs, *state):
        first, state = built.step(inputs[:, 0], state)
        second, state = built.step(inputs[:, 1], state)
        return first, second, *state

    assert torch.autograd.gradcheck(two_steps, (inputs, *start))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_pass_gradcheck(cell):
    built = cell(input_size=2, hidden_size=2).double()
    inputs = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([3, 2])

    def unroll(values, *parameters):
        outputs, final = torch.func.functional_call(Unroll(built), named, (values, lengths))
        return outputs, *final

    named = {f"cell.{name}": parameter for name, parameter in built.named_parameters()}
    assert torch.autograd.gradcheck(unroll, (inputs, *named.values()))


class Unroll(nn.Module):
    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs, lengths):
        return self.cell.unroll(inputs, self.cell.initial_state(len(inputs)), lengths)


@pytest.mark.parametrize("forget_bias", [1.0, 0.0, 2.5])
def test_lstm_forget_bias_is_the_sum_of_both_biases(forget_bias):
    cell = LSTMCell(input_size=INPUT, hidden_size=HIDDEN, forget_bias=forget_bias)
    cell.initialize_biases()
    _, _, input_bias, recurrent_bias = cell.weights
    assert (input_bias + recurrent_bias)[HIDDEN : 2 * HIDDEN].eq(forget_bias).all()
    assert (input_bias + recurrent_bias)[:HIDDEN].ne(forget_bias).all()


def test_lstm_forget_bias_none_leaves_the_initialization():
    cell = LSTMCell(input_size=INPUT, hidden_size=HIDDEN, forget_bias=None)
    before = [parameter.clone() for parameter in cell.parameters()]
    cell.initialize_biases()
    for old, new in zip(before, cell.parameters(), strict=True):
        assert torch.equal(old, new)


def test_unknown_nonlinearity_is_refused():
    with pytest.raises(RequestError, match=r"cell\.nonlinearity is 'sine', expected one of tanh, relu"):
        ElmanCell(input_size=1, hidden_size=1, nonlinearity="sine")
