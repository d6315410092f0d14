"""A deep transition is its cells one after the other within a step."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.deep_transition import DeepTransitionCell
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.cells.peephole_lstm import PeepholeLSTMCell
from s2s_lab.models.cells.sru import SRUCell
from s2s_lab.models.cells.stack import CellFactory

ROWS, LENGTH, INPUT, HIDDEN = 5, 6, 3, 4
LENGTHS = torch.tensor([6, 1, 4, 6, 2])


def deep(cell: CellFactory = GRUCell, depth: int = 3) -> DeepTransitionCell:
    return DeepTransitionCell(cell=cell, input_size=INPUT, hidden_size=HIDDEN, depth=depth)


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell, PeepholeLSTMCell])
def test_the_state_goes_through_all_cells(cell):
    built = deep(cell)
    x, state = torch.randn(ROWS, INPUT), tuple(torch.randn_like(part) for part in built.initial_state(ROWS))
    expected_output, expected = built.inner.step(x, state)
    assert len(built.upper_cells) == 2
    for upper in built.upper_cells:
        expected_output, expected = upper.step(torch.ones(ROWS, 1), expected)
    output, following = built.step(x, state)
    torch.testing.assert_close(following, expected)
    torch.testing.assert_close(output, expected_output)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_unroll_equals_repeated_step(lengths, depth):
    built = deep(depth=depth)
    inputs, (state,) = torch.randn(ROWS, LENGTH, INPUT), built.initial_state(ROWS)
    outputs, (final,) = built.unroll(inputs, (state,), lengths)
    for position in range(LENGTH):
        output, (following,) = built.step(inputs[:, position], (state,))
        real = torch.full((ROWS, 1), True) if lengths is None else (position < lengths).unsqueeze(1)
        torch.testing.assert_close(outputs[:, position], output * real)
        state = torch.where(real, following, state)
    torch.testing.assert_close(final, state)


def test_a_depth_of_1_is_the_plain_cell():
    built = deep(depth=1)
    inputs, state = torch.randn(ROWS, LENGTH, INPUT), built.initial_state(ROWS)
    torch.testing.assert_close(built.unroll(inputs, state), built.inner.unroll(inputs, state), atol=0, rtol=0)
    assert not built.upper_cells


def test_what_cannot_be_deep_is_refused():
    with pytest.raises(RequestError, match=r"transition=deep needs a cell that reads its previous output"):
        deep(SRUCell)
    with pytest.raises(RequestError, match=r"transition\.depth is 0, expected a whole number above 0"):
        deep(depth=0)
