"""A stack of cells equals torch's layers, and its own repeated steps."""

import pytest
import torch
from torch import nn

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.cells.stack import CellStack


def stack(cell=LSTMCell, **options) -> CellStack:
    return CellStack(cell=cell, input_size=3, hidden_size=4, **options)


@pytest.mark.parametrize(("cell", "reference"), [(GRUCell, nn.GRU), (LSTMCell, nn.LSTM)])
def test_stack_equals_torchs_layers(cell, reference):
    mine, theirs = stack(cell, num_layers=3), reference(3, 4, num_layers=3, batch_first=True)
    with torch.no_grad():
        for parameter, other in zip(theirs.parameters(), mine.parameters(), strict=True):
            parameter.copy_(other)
    inputs = torch.randn(5, 6, 3)
    outputs, final = mine.unroll(inputs, mine.initial_state(5))
    expected, expected_final = theirs(inputs)
    torch.testing.assert_close(outputs, expected)
    for part, expected_part in enumerate(expected_final if isinstance(expected_final, tuple) else (expected_final,)):
        torch.testing.assert_close(torch.stack([layer[part] for layer in final]), expected_part)


def test_unroll_equals_repeated_step():
    mine = stack(num_layers=2)
    inputs, state = torch.randn(5, 6, 3), mine.initial_state(5)
    outputs, final = mine.unroll(inputs, state)
    for position in range(6):
        output, state = mine.step(inputs[:, position], state)
        torch.testing.assert_close(output, outputs[:, position])
    torch.testing.assert_close(state, final)


def test_state_sizes_are_those_of_the_state():
    mine = stack(num_layers=2)
    assert mine.state_sizes == ((4, 4), (4, 4))
    assert tuple(tuple(part.shape[1] for part in layer) for layer in mine.initial_state(2)) == mine.state_sizes


def test_dropout_silences_inputs_of_upper_layers_alone():
    single, double = stack(num_layers=1, dropout=0.99), stack(num_layers=2, dropout=0.99)
    inputs = torch.randn(5, 6, 3)
    first, _ = single.unroll(inputs, single.initial_state(5))
    again, _ = single.unroll(inputs, single.initial_state(5))
    assert torch.equal(first, again)
    first, _ = double.unroll(inputs, double.initial_state(5))
    again, _ = double.unroll(inputs, double.initial_state(5))
    assert not torch.equal(first, again)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers is 0, expected a whole number above 0"),
        ({"dropout": 1.0}, r"dropout is 1\.0, expected a probability"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        stack(**options)


def test_residual_connections_add_what_each_upper_cell_reads():
    """Wu et al. 2016, equation 6: x_k = m_k + x_(k-1), from the second layer on."""
    mine = stack(num_layers=3, residual=True)
    inputs, state = torch.randn(5, 6, 3), mine.initial_state(5)
    expected, states = mine.cells[0].unroll(inputs, state[0])
    finals = [states]
    for cell, parts in zip(mine.cells[1:], state[1:], strict=True):
        found, states = cell.unroll(expected, parts)
        expected = found + expected
        finals.append(states)
    outputs, final = mine.unroll(inputs, state)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(final, tuple(finals))
    for position in range(6):
        output, state = mine.step(inputs[:, position], state)
        torch.testing.assert_close(output, outputs[:, position])
