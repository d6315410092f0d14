"""Laws of every cell of conf/cell."""

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from s2s_lab.models.cells.base import Cell
from tests.contracts.rounding import MOST_SPREADS, spread

CONF = Path(__file__).parents[2] / "conf"
ROWS, LENGTH, INPUT, HIDDEN = 5, 7, 3, 4
LENGTHS = torch.tensor([7, 1, 4, 6, 2])
CELLS = sorted(path.stem for path in (CONF / "cell").glob("*.yaml"))
assert CELLS
INITIALIZATIONS = sorted(path.stem for path in (CONF / "initialization").glob("*.yaml"))


def settings(group: str, name: str) -> dict[str, Any]:
    node = yaml.safe_load((CONF / group / f"{name}.yaml").read_text(encoding="utf-8"))
    merged: dict[str, Any] = {}
    for parent in node.pop("defaults", []):
        merged |= settings(group, parent)
    return merged | node


def target(node: dict[str, Any]) -> Any:
    path, attribute = node.pop("_target_").rsplit(".", 1)
    return getattr(importlib.import_module(path), attribute)


def factory(name: str) -> Any:
    node = settings("cell", name)
    assert node.pop("_partial_")
    return partial(target(node), **node)


def built(name: str, input_size: int = INPUT, hidden_size: int = HIDDEN) -> Cell:
    return factory(name)(input_size=input_size, hidden_size=hidden_size)


def initialized(name: str, initialization: str) -> Cell:
    node = settings("initialization", initialization)
    cell = built(name)
    target(node)(**node)(nn.ModuleList([cell]))
    return cell


def random_state(cell: Cell, rows: int = ROWS) -> tuple[torch.Tensor, ...]:
    return tuple(torch.rand_like(part) for part in cell.initial_state(rows))


@pytest.mark.parametrize("input_size", [INPUT, HIDDEN])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("name", CELLS)
def test_unroll_equals_repeated_step(name, lengths, input_size):
    cell = built(name, input_size).double()
    inputs, state = torch.randn(ROWS, LENGTH, input_size).double(), random_state(cell)
    outputs, final = cell.unroll(inputs, state, lengths)
    expected, held = [], state
    for position in range(LENGTH):
        output, following = cell.step(inputs[:, position], held)
        real = torch.ones(ROWS, 1, dtype=torch.bool) if lengths is None else (position < lengths).unsqueeze(1)
        expected.append(output.masked_fill(~real, 0.0))
        held = tuple(torch.where(real, new, old) for new, old in zip(following, held, strict=True))
    torch.testing.assert_close(outputs, torch.stack(expected, dim=1))
    torch.testing.assert_close(final, held)


@pytest.mark.parametrize("name", CELLS)
def test_state_sizes_are_those_of_the_state(name):
    cell = built(name)
    output, following = cell.step(torch.randn(ROWS, INPUT), cell.initial_state(ROWS))
    assert tuple(part.shape[1] for part in cell.initial_state(ROWS)) == cell.state_sizes
    assert tuple(part.shape for part in following) == tuple((ROWS, size) for size in cell.state_sizes)
    assert output.shape == (ROWS, HIDDEN) and cell.state_sizes[0] == HIDDEN
    assert torch.equal(output, following[0]) == cell.output_is_state


@pytest.mark.parametrize("input_size", [INPUT, HIDDEN])
@pytest.mark.parametrize("name", CELLS)
def test_shares_of_the_projection_add_up(name, input_size):
    cell = built(name, input_size)
    inputs = torch.randn(ROWS, input_size)
    parts = cell.projection(0, 1)(inputs[:, :1]) + cell.projection(1, 2)(inputs[:, 1:2])
    torch.testing.assert_close(parts + cell.projection(2)(inputs[:, 2:]), cell.projection()(inputs))


@pytest.mark.parametrize("name", CELLS)
def test_what_products_read_can_be_given(name):
    """A given previous output counts in products alone: what is kept of the state elementwise stays."""
    cell = built(name).double()
    projected, state = cell.projection()(torch.randn(ROWS, INPUT).double()), random_state(cell)
    torch.testing.assert_close(cell.advance(projected, state, state[0]), cell.advance(projected, state))
    other, _ = cell.advance(projected, state, torch.zeros_like(state[0]))
    assert torch.equal(other, cell.advance(projected, state)[0]) != cell.output_is_state


@pytest.mark.parametrize("name", CELLS)
def test_gradient_reaches_every_parameter(name):
    cell = initialized(name, "uniform")
    outputs, final = cell.unroll(torch.randn(ROWS, LENGTH, INPUT), random_state(cell), LENGTHS)
    (outputs.square().sum() + sum(part.sum() for part in final)).backward()
    for key, parameter in cell.named_parameters():
        assert parameter.grad is not None and parameter.grad.ne(0).any(), key


@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_steps_pass_gradcheck(name):
    cell = built(name, hidden_size=2).double()
    inputs = torch.randn(2, 2, INPUT, dtype=torch.float64, requires_grad=True)
    start = tuple(torch.randn(2, size, dtype=torch.float64, requires_grad=True) for size in cell.state_sizes)

    def unroll(inputs, *state):
        outputs, final = cell.unroll(inputs, state)
        return outputs, *final

    assert torch.autograd.gradcheck(unroll, (inputs, *start))


@pytest.mark.parametrize("name", CELLS)
def test_bfloat16_autocast_stays_near_float32(name):
    """Each output is as near as a change of the last digit of every parameter leaves it; see rounding.py."""
    cell = initialized(name, "torch_default")
    inputs, state = torch.randn(ROWS, LENGTH, INPUT), random_state(cell)
    for run in (lambda made: made.unroll(inputs, state, LENGTHS)[0], lambda made: made.step(inputs[:, 0], state)[0]):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fast = run(cell)
        assert (fast - run(cell)).abs().max() < MOST_SPREADS * spread(cell, run)


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize("name", CELLS)
def test_initialization_leaves_a_cell_that_remembers_and_listens(name, initialization):
    """After any initialization outputs are finite, and change with the first input of a sequence."""
    cell = initialized(name, initialization).double()  # small weights forget in float32
    inputs = torch.randn(ROWS, LENGTH, INPUT, dtype=torch.float64)
    outputs, _ = cell.unroll(inputs, cell.initial_state(ROWS))
    other, _ = cell.unroll(torch.cat((inputs[:, :1] + 1.0, inputs[:, 1:]), dim=1), cell.initial_state(ROWS))
    assert outputs.isfinite().all()
    assert not torch.equal(outputs[:, 1:], other[:, 1:])
