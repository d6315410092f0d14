"""Variational dropout and zoneout do to any cell what their papers say, and nothing outside training or at 0."""

from functools import partial

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.network import build_network
from s2s_lab.faults import RequestError
from s2s_lab.models.cells.base import Cell
from s2s_lab.models.cells.elman import ElmanCell
from s2s_lab.models.cells.gru import GRUCell, ResetBeforeGRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.cells.peephole_lstm import PeepholeLSTMCell
from s2s_lab.models.cells.sru import SRUCell
from s2s_lab.models.cells.variational_dropout import VariationalDropoutCell
from s2s_lab.models.cells.zoneout import ZoneoutCell
from s2s_lab.models.initialization.glorot_orthogonal import GlorotOrthogonalInitialization

ROWS, LENGTH, INPUT, HIDDEN = 5, 6, 3, 4
LENGTHS = torch.tensor([6, 1, 4, 6, 2])
CELLS = [ElmanCell, GRUCell, ResetBeforeGRUCell, LSTMCell, PeepholeLSTMCell, SRUCell]
READING = [cell for cell in CELLS if cell is not SRUCell]


def variational(cell=GRUCell, inputs=0.5, recurrent=0.5, rows_wide=HIDDEN) -> VariationalDropoutCell:
    return VariationalDropoutCell(
        cell=cell, input_size=INPUT, hidden_size=rows_wide, inputs=inputs, recurrent=recurrent
    )


def zoneout(cell=GRUCell, hidden=0.3, memory=0.6, width=HIDDEN) -> ZoneoutCell:
    return ZoneoutCell(cell=cell, input_size=INPUT, hidden_size=width, hidden=hidden, memory=memory)


def given(cell: Cell, rows: int = ROWS) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    return torch.randn(rows, LENGTH, INPUT), tuple(torch.randn_like(part) for part in cell.initial_state(rows))


def steps(cell: Cell, inputs: torch.Tensor, state: tuple) -> tuple[torch.Tensor, list[tuple]]:
    outputs, states = [], []
    for position in range(inputs.shape[1]):
        output, state = cell.step(inputs[:, position], state)
        outputs.append(output)
        states.append(state)
    return torch.stack(outputs, dim=1), states


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "wrapped", [variational, partial(variational, inputs=0, recurrent=0), partial(zoneout, hidden=0, memory=0)]
)
def test_outside_training_and_at_0_it_is_the_plain_cell_in_its_own_way(wrapped, cell, lengths, monkeypatch):
    built = wrapped(cell)
    inputs, state = given(built)
    if wrapped is variational:
        built.eval()
    expected = built.inner.unroll(inputs, state, lengths)
    torch.testing.assert_close(steps(built, inputs, state)[0], steps(built.inner, inputs, state)[0], atol=0, rtol=0)
    calls = []
    monkeypatch.setattr(built.inner, "unroll", lambda *arguments: calls.append(arguments) or expected)
    assert built.unroll(inputs, state, lengths) == expected and len(calls) == 1


@pytest.mark.parametrize("cell", CELLS)
def test_a_mask_is_the_same_at_every_step_and_differs_between_rows(cell):
    built = variational(cell, rows_wide=32)
    inputs, state = given(built)
    _, states = steps(built, inputs, state)
    for masks in zip(*(state[len(built.state_sizes) :] for state in states), strict=True):
        assert all(torch.equal(mask, masks[0]) for mask in masks)
    input_mask, recurrent_mask = states[0][len(built.state_sizes) :]
    assert input_mask.shape == (ROWS, INPUT) and recurrent_mask.shape == (ROWS, 32)
    if built.output_is_state:
        assert set(recurrent_mask.unique().tolist()) == {0.0, 2.0}
        assert len({tuple(row) for row in recurrent_mask.tolist()}) == ROWS
    _, again = steps(built, inputs, state)
    assert cell is SRUCell or not torch.equal(again[0][-1], recurrent_mask)


@pytest.mark.parametrize("cell", READING)
def test_products_read_masked_inputs_and_outputs(cell):
    """Gal and Ghahramani 2016: what is multiplied is x * m and h * k."""
    built = variational(cell)
    inputs, state = given(built)
    _, states = steps(built, inputs, state)
    *parts, input_mask, recurrent_mask = states[0]
    output, _ = built.step(inputs[:, 1], states[0])
    projected = built.inner.projection()(inputs[:, 1] * input_mask)
    expected, _ = built.inner.advance(projected, tuple(parts), parts[0] * recurrent_mask)
    torch.testing.assert_close(output, expected)


def test_a_dropped_unit_of_the_output_is_not_read_and_still_kept():
    """With all gates' products silent, a GRU that keeps its state keeps dropped units too."""
    built = variational(GRUCell, inputs=0.0, recurrent=0.5)
    with torch.no_grad():
        for parameter in built.inner.parameters():
            parameter.zero_()
        assert isinstance(built.inner, GRUCell)
        built.inner.weights[2][HIDDEN : 2 * HIDDEN] = 1e4  # the update gate
    inputs, state = given(built)
    outputs, _ = built.unroll(inputs, state)
    torch.testing.assert_close(outputs, state[0].unsqueeze(1).expand(-1, LENGTH, -1))


@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.5, 0.0), (0.0, 0.5)])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("cell", CELLS)
def test_unroll_with_masks_equals_repeated_step(cell, lengths, rates):
    built = variational(cell, *rates)
    inputs, state = given(built)
    _, states = steps(built, inputs[:, :1], state)
    held = (*state, *states[0][len(state) :])
    outputs, final = built.unroll(inputs, held, lengths)
    expected, states = steps(built, inputs, held)
    real = torch.arange(LENGTH) < (torch.full((ROWS,), LENGTH) if lengths is None else lengths).unsqueeze(1)
    torch.testing.assert_close(outputs, expected * real.unsqueeze(2))
    last = real.sum(1) - 1
    for index, part in enumerate(final):
        torch.testing.assert_close(part, torch.stack([states[last[row]][index][row] for row in range(ROWS)]))


def test_unroll_gives_the_state_in_the_form_it_was_given():
    built = variational()
    inputs, state = given(built)
    _, final = built.unroll(inputs, state)
    assert [part.shape for part in final] == [(ROWS, HIDDEN)]
    _, states = steps(built, inputs, state)
    assert len(states[0]) == len(built.unroll(inputs, states[0])[1]) == 3


def test_shares_of_the_projection_add_up_in_training():
    built = variational()
    inputs = torch.randn(ROWS, INPUT)
    parts = built.projection(0, 1)(inputs[:, :1]) + built.projection(1, 2)(inputs[:, 1:2])
    torch.testing.assert_close(parts + built.projection(2)(inputs[:, 2:]), built.projection()(inputs))


def assert_mean(drawn: torch.Tensor, expected: torch.Tensor) -> None:
    """Each column's mean lies within 5 standard errors, and a float's rounding, of what is expected (1, columns)."""
    error = drawn.std(0) / len(drawn) ** 0.5
    assert ((drawn.mean(0) - expected[0]).abs() <= 5 * error + 1e-6).all()


def test_the_mean_over_masks_is_the_plain_product():
    built = VariationalDropoutCell(
        cell=partial(ElmanCell, nonlinearity="relu"), input_size=INPUT, hidden_size=HIDDEN, inputs=0.5, recurrent=0.25
    )
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.abs_()  # so that relu is linear
    row, held = torch.rand(1, INPUT), torch.rand(1, HIDDEN)
    output, _ = built.step(row.expand(20000, -1), (held.expand(20000, -1),))
    expected, _ = built.inner.step(row, (held,))
    assert_mean(output, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_zoneout_keeps_or_renews_each_unit(cell):
    built = zoneout(cell, width=64)
    inputs, state = given(built)
    output, following = built.step(inputs[:, 0], state)
    expected_output, renewed = built.inner.step(inputs[:, 0], state)
    rates = built.rates
    assert rates[0] == (0.3 if built.output_is_state else 0.6) and set(rates[1:]) <= {0.6}
    for old, new, part, rate in zip(state, renewed, following, rates, strict=True):
        kept = part == old
        assert torch.equal(part, torch.where(kept, old, new))
        assert abs(kept.double().mean() - rate) < 5 * (rate * (1 - rate) / kept.numel()) ** 0.5  # 5 standard errors
    torch.testing.assert_close(output, following[0] if built.output_is_state else expected_output, atol=0, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_zoneout_outside_training_is_its_expectation(cell):
    """Krueger et al. 2017: masks are replaced by their expectation."""
    built = zoneout(cell).double()
    inputs, state = given(built.eval(), rows=1)
    inputs, state = inputs.double(), tuple(part.double() for part in state)
    _, expected = built.step(inputs[:, 0], state)
    _, renewed = built.inner.step(inputs[:, 0], state)
    for old, new, part, rate in zip(state, renewed, expected, built.rates, strict=True):
        torch.testing.assert_close(part, rate * old + (1 - rate) * new)
    built.train()
    many = 20000
    _, drawn = built.step(inputs[:, 0].expand(many, -1), tuple(part.expand(many, -1) for part in state))
    for mean, part in zip(drawn, expected, strict=True):
        assert_mean(mean, part)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("cell", CELLS)
def test_zoneout_unrolls_as_it_steps(cell, lengths):
    built = zoneout(cell).eval()
    inputs, state = given(built)
    outputs, _ = built.unroll(inputs, state, lengths)
    expected, _ = steps(built, inputs, state)
    real = torch.arange(LENGTH) < (torch.full((ROWS,), LENGTH) if lengths is None else lengths).unsqueeze(1)
    torch.testing.assert_close(outputs, expected * real.unsqueeze(2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (partial(variational, inputs=1.0), r"cell_dropout\.inputs is 1\.0, expected a probability"),
        (partial(variational, recurrent=-0.1), r"cell_dropout\.recurrent is -0\.1, expected a probability"),
        (partial(zoneout, hidden=2), r"cell_dropout\.hidden is 2, expected a probability"),
        (partial(zoneout, memory=1.0), r"cell_dropout\.memory is 1\.0, expected a probability"),
    ],
)
def test_what_is_no_probability_is_refused(build, message):
    with pytest.raises(RequestError, match=message):
        build()


DECODERS = [
    ("decoder=attend_first",),
    ("decoder=attend_last",),
    ("decoder=input_feeding",),
    ("decoder=input_feeding_residual",),
    ("decoder=residual",),
    ("decoder=gnmt",),
    ("decoder=conditional_gru",),
    ("decoder=context_gate",),
    ("decoder=attend_first", "attention=none"),
]


@pytest.mark.parametrize("words", DECODERS, ids=lambda words: words[0])
def test_in_training_a_decoder_steps_through_the_same_masks_as_it_goes_in_one(words):
    """The first step draws what the whole sequence draws: from one seed, both ways give the same features."""
    sizes = ["encoder.hidden_size=8", "decoder.hidden_size=8", "embedding.embedding_size=6", "decoder.num_layers=2"]
    chosen = ["cell=lstm", "transition=deep", "cell_dropout=variational", "cell_dropout.recurrent=0.5"]
    settings = plain(compose_jobs("train", [*words, *sizes, *chosen], multirun=False, folder=None)[0])
    network = build_network(settings, source_size=9, target_size=9, shared=False)
    sources, targets = torch.randint(1, 9, (ROWS, 4)), torch.randint(1, 9, (ROWS, LENGTH))
    memory, start = network.start(((sources, torch.full((ROWS,), 4)),))
    memory = memory.decoder
    embedded = network.target_embedding(targets)
    torch.manual_seed(3)
    features, _ = network.decoder(embedded, start, memory)
    torch.manual_seed(3)
    state, stepped = start, []
    for position in range(LENGTH):
        feature, state, _ = network.decoder.step(embedded[:, position], state, memory)
        stepped.append(feature)
    torch.testing.assert_close(torch.stack(stepped, dim=1), features, atol=1e-5, rtol=0.0)
    other, _ = network.decoder(embedded, start, memory)
    assert not torch.allclose(other, features, atol=1e-3)


@pytest.mark.parametrize("around", [variational, zoneout])
def test_what_the_inner_cell_fixes_stands_after_an_initialization(around):
    built = around(partial(LSTMCell, forget_bias=2.0))
    GlorotOrthogonalInitialization()(torch.nn.ModuleList([built]))
    assert isinstance(built.inner, LSTMCell)
    _, recurrent_weight, input_bias, recurrent_bias = built.inner.weights
    assert (input_bias + recurrent_bias)[HIDDEN : 2 * HIDDEN].eq(2.0).all()
    for gate in recurrent_weight.split(HIDDEN):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(HIDDEN), atol=1e-5, rtol=0.0)
