"""Cells without a kernel of torch follow the equations of their papers, written out in float64."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.elman import ElmanCell
from s2s_lab.models.cells.gru import ResetBeforeGRUCell
from s2s_lab.models.cells.layer_norm_gru import LayerNormGRUCell
from s2s_lab.models.cells.layer_norm_lstm import LayerNormLSTMCell
from s2s_lab.models.cells.minimal_gated import MinimalGatedCell
from s2s_lab.models.cells.peephole_lstm import PeepholeLSTMCell
from s2s_lab.models.cells.sru import SRUCell
from s2s_lab.models.initialization.glorot_orthogonal import GlorotOrthogonalInitialization
from s2s_lab.models.initialization.torch_default import TorchDefaultInitialization
from s2s_lab.models.initialization.uniform import UniformInitialization

INPUT, HIDDEN = 3, 4
INITIALIZATIONS = [GlorotOrthogonalInitialization(), TorchDefaultInitialization(), UniformInitialization()]


def vectors(*sizes: int) -> list[Tensor]:
    return [torch.randn(size, dtype=torch.float64) for size in sizes]


def sigmoid(values: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-values))


def normalised(values: Tensor, gains: Tensor, shifts: Tensor | float = 0.0) -> Tensor:
    deviation = values - values.mean()
    return gains * deviation / torch.sqrt((deviation**2).mean() + 1e-5) + shifts


def shaken(cell):
    """The cell in float64 with every parameter drawn, gains and peepholes too."""
    for parameter in cell.double().parameters():
        nn.init.normal_(parameter)
    return cell


def step(cell, x: Tensor, *state: Tensor) -> tuple[Tensor, list[Tensor]]:
    with torch.no_grad():
        output, following = cell.step(x.unsqueeze(0), tuple(part.unsqueeze(0) for part in state))
    return output[0], [part[0] for part in following]


def test_gru_resets_before_its_product():
    cell = shaken(ResetBeforeGRUCell(input_size=INPUT, hidden_size=HIDDEN))
    x, h = vectors(INPUT, HIDDEN)
    (w_r, w_z, w), (u_r, u_z), u = cell.weight_ih.split(HIDDEN), cell.weight_hh.split(HIDDEN), cell.weight_hh_candidate
    b_r, b_z, b = cell.bias.split(HIDDEN)
    r, z = sigmoid(w_r @ x + u_r @ h + b_r), sigmoid(w_z @ x + u_z @ h + b_z)
    candidate = torch.tanh(w @ x + u @ (r * h) + b)
    output, _ = step(cell, x, h)
    torch.testing.assert_close(output, z * h + (1 - z) * candidate)


def test_minimal_gated_unit():
    cell = shaken(MinimalGatedCell(input_size=INPUT, hidden_size=HIDDEN))
    x, h = vectors(INPUT, HIDDEN)
    (w_f, w_h), (b_f, b_h) = cell.weight_ih.split(HIDDEN), cell.bias.split(HIDDEN)
    f = sigmoid(w_f @ x + cell.weight_hh @ h + b_f)
    candidate = torch.tanh(w_h @ x + cell.weight_hh_candidate @ (f * h) + b_h)
    output, _ = step(cell, x, h)
    torch.testing.assert_close(output, (1 - f) * h + f * candidate)


def test_layer_norm_lstm():
    cell = shaken(LayerNormLSTMCell(input_size=INPUT, hidden_size=HIDDEN))
    x, h, c = vectors(INPUT, HIDDEN, HIDDEN)
    sums = normalised(cell.weight_hh @ h, cell.norm_recurrent.weight) + cell.bias
    sums = sums + normalised(cell.weight_ih @ x, cell.norm_input.weight)
    i, f, g, o = sums.split(HIDDEN)
    expected_c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
    expected_h = sigmoid(o) * torch.tanh(normalised(expected_c, cell.norm_cell.weight, cell.norm_cell.bias))
    output, following = step(cell, x, h, c)
    torch.testing.assert_close(following, [expected_h, expected_c])
    torch.testing.assert_close(output, expected_h)


def test_layer_norm_gru():
    cell = shaken(LayerNormGRUCell(input_size=INPUT, hidden_size=HIDDEN))
    x, h = vectors(INPUT, HIDDEN)
    w, w_h = cell.weight_ih.split((2 * HIDDEN, HIDDEN))
    b, b_h = cell.bias.split((2 * HIDDEN, HIDDEN))
    gates = normalised(cell.weight_hh @ h, cell.norm_recurrent.weight) + normalised(w @ x, cell.norm_input.weight)
    z, r = sigmoid(gates + b).split(HIDDEN)
    recurrent = cell.norm_recurrent_candidate
    candidate = normalised(w_h @ x, cell.norm_candidate.weight, b_h)
    candidate = candidate + r * normalised(cell.weight_hh_candidate @ h, recurrent.weight, recurrent.bias)
    output, _ = step(cell, x, h)
    torch.testing.assert_close(output, (1 - z) * h + z * torch.tanh(candidate))


@pytest.mark.parametrize("input_size", [INPUT, HIDDEN])
def test_sru(input_size):
    cell = shaken(SRUCell(input_size=input_size, hidden_size=HIDDEN, highway_bias=-1.0))
    x, c = vectors(input_size, HIDDEN)
    w, w_f, w_r, *w_x = cell.weight_ih.split(HIDDEN)
    assert len(w_x) == (input_size != HIDDEN)
    f = sigmoid(w_f @ x + cell.peephole_forget * c + cell.bias_forget)
    r = sigmoid(w_r @ x + cell.peephole_reset * c + cell.bias_reset)
    expected_c = f * c + (1 - f) * (w @ x)
    alpha = math.sqrt(1 + math.exp(-1.0) * 2)
    output, following = step(cell, x, c)
    torch.testing.assert_close(following, [expected_c])
    torch.testing.assert_close(output, r * expected_c + (1 - r) * alpha * (w_x[0] @ x if w_x else x))


VARIANTS = {
    "vanilla": {},
    "no_peepholes": {"peepholes": False},
    "no_input_gate": {"input_gate": False},
    "no_forget_gate": {"forget_gate": False, "forget_bias": None},
    "no_output_gate": {"output_gate": False},
    "no_input_activation": {"input_activation": False},
    "no_output_activation": {"output_activation": False},
    "coupled": {"coupled": True},
    "full_gate_recurrence": {"full_gate_recurrence": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_peephole_lstm_and_its_variants(variant):
    """Greff et al. 2017, one variant after the other."""
    cell = shaken(PeepholeLSTMCell(input_size=INPUT, hidden_size=HIDDEN, **VARIANTS[variant]))
    x, h, c = vectors(INPUT, HIDDEN, HIDDEN)
    gates = [sigmoid(gate) for gate in vectors(HIDDEN, HIDDEN, HIDDEN)]
    w, r, b = (
        {name: part[cell.place(name)] for name in cell.gates} for part in (cell.weight_ih, cell.weight_hh, cell.bias)
    )
    of_gates = cell.weight_hh_gates

    def gate(name: str, seen: Tensor) -> Tensor:
        total = w[name] @ x + r[name] @ h + b[name]
        if variant != "no_peepholes":
            total = total + getattr(cell, f"peephole_{name}") * seen
        if of_gates is not None:
            rows = of_gates.split(HIDDEN)[("input", "forget", "output").index(name)]
            total = total + sum(part @ given for part, given in zip(rows.split(HIDDEN, dim=1), gates, strict=True))
        return sigmoid(total)

    block = w["block"] @ x + r["block"] @ h + b["block"]
    z = block if variant == "no_input_activation" else torch.tanh(block)
    i = torch.ones_like(c) if variant == "no_input_gate" else gate("input", c)
    f = 1 - i if variant == "coupled" else torch.ones_like(c) if variant == "no_forget_gate" else gate("forget", c)
    expected_c = z * i + c * f
    o = torch.ones_like(c) if variant == "no_output_gate" else gate("output", expected_c)
    expected_h = o * (expected_c if variant == "no_output_activation" else torch.tanh(expected_c))
    full = variant == "full_gate_recurrence"
    assert full == (of_gates is not None)
    output, following = step(cell, x, h, c, *(gates if full else []))
    torch.testing.assert_close(following[:2], [expected_h, expected_c])
    torch.testing.assert_close(output, expected_h)
    if full:
        torch.testing.assert_close(following[2:], [i, f, o])


def test_without_peepholes_it_is_torchs_lstm():
    cell = PeepholeLSTMCell(input_size=INPUT, hidden_size=HIDDEN, peepholes=False)
    reference = nn.LSTMCell(INPUT, HIDDEN)
    with torch.no_grad():
        order = ("input", "forget", "block", "output")
        for theirs, mine in zip(reference.parameters(), (cell.weight_ih, cell.weight_hh, cell.bias), strict=False):
            theirs.copy_(torch.cat([mine[cell.place(gate)] for gate in order]))
        reference.bias_hh.zero_()
    x, state = torch.randn(5, INPUT), (torch.randn(5, HIDDEN), torch.randn(5, HIDDEN))
    torch.testing.assert_close(cell.step(x, state)[1], reference(x, state))


@pytest.mark.parametrize(
    ("variant", "gates", "peepholes"),
    [
        ("vanilla", 4, 3),
        ("no_peepholes", 4, 0),
        ("no_input_gate", 3, 2),
        ("no_forget_gate", 3, 2),
        ("no_output_gate", 3, 2),
        ("no_input_activation", 4, 3),
        ("no_output_activation", 4, 3),
        ("coupled", 3, 2),
    ],
)
def test_what_a_variant_leaves_out_leaves_no_parameters(variant, gates, peepholes):
    cell = PeepholeLSTMCell(input_size=INPUT, hidden_size=HIDDEN, **VARIANTS[variant])
    expected = gates * HIDDEN * (INPUT + HIDDEN + 1) + peepholes * HIDDEN
    assert sum(parameter.numel() for parameter in cell.parameters()) == expected


@pytest.mark.parametrize("initialization", INITIALIZATIONS, ids=lambda made: type(made).__name__)
@pytest.mark.parametrize("forget_bias", [1.0, 2.5])
@pytest.mark.parametrize("kind", [PeepholeLSTMCell, LayerNormLSTMCell])
def test_forget_bias_stands_after_any_initialization(kind, forget_bias, initialization):
    cell = kind(input_size=INPUT, hidden_size=HIDDEN, forget_bias=forget_bias)
    initialization(nn.ModuleList([cell]))
    assert cell.bias[cell.place("forget")].eq(forget_bias).all()
    assert cell.bias[cell.place("input")].ne(forget_bias).all()


def test_a_coupled_forget_gate_starts_as_open_as_one_of_its_own():
    cell = PeepholeLSTMCell(input_size=INPUT, hidden_size=HIDDEN, coupled=True, forget_bias=2.0)
    cell.initialize_biases()
    torch.testing.assert_close(1 - cell.bias[cell.place("input")].sigmoid(), torch.full((HIDDEN,), 2.0).sigmoid())


def test_forget_bias_none_leaves_the_initialization():
    cell = PeepholeLSTMCell(input_size=INPUT, hidden_size=HIDDEN, forget_bias=None)
    before = cell.bias.clone()
    cell.initialize_biases()
    assert torch.equal(cell.bias, before)


@pytest.mark.parametrize("initialization", INITIALIZATIONS, ids=lambda made: type(made).__name__)
@pytest.mark.parametrize("identity", [1.0, 0.01])
def test_identity_stands_after_any_initialization(initialization, identity):
    cell = ElmanCell(input_size=INPUT, hidden_size=HIDDEN, nonlinearity="relu", identity=identity)
    initialization(nn.ModuleList([cell]))
    input_weight, recurrent_weight, input_bias, recurrent_bias = cell.weights
    assert torch.equal(recurrent_weight, identity * torch.eye(HIDDEN))
    assert input_bias.eq(0).all() and recurrent_bias.eq(0).all() and input_weight.ne(0).all()


def test_a_fresh_irnn_without_input_keeps_its_state():
    """Le, Jaitly and Hinton 2015: without input, the state stays as it is."""
    cell = ElmanCell(input_size=INPUT, hidden_size=HIDDEN, nonlinearity="relu", identity=1.0)
    cell.initialize_biases()
    state = torch.rand(5, HIDDEN)
    _, (final,) = cell.unroll(torch.zeros(5, 50, INPUT), (state,))
    torch.testing.assert_close(final, state)


@pytest.mark.parametrize("initialization", INITIALIZATIONS, ids=lambda made: type(made).__name__)
@pytest.mark.parametrize("kind", [LayerNormLSTMCell, LayerNormGRUCell])
def test_gains_are_1_and_shifts_0_after_any_initialization(kind, initialization):
    cell = kind(input_size=INPUT, hidden_size=HIDDEN)
    initialization(nn.ModuleList([cell]))
    norms = [module for module in cell.modules() if isinstance(module, nn.LayerNorm)]
    assert norms
    for norm in norms:
        assert norm.weight.eq(1).all() and (norm.bias is None or norm.bias.eq(0).all())


@pytest.mark.parametrize("kind", [LayerNormLSTMCell, LayerNormGRUCell])
def test_layer_norm_makes_steps_blind_to_the_scale_of_their_weights(kind):
    cell = kind(input_size=INPUT, hidden_size=HIDDEN).double()
    cell.initialize_biases()
    for module in cell.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 0.0  # what is added to the variance alone has a scale
    inputs, state = torch.randn(5, 6, INPUT).double(), cell.initial_state(5)
    outputs, _ = cell.unroll(inputs, tuple(part + 0.3 for part in state))
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            if name.startswith("weight_"):
                parameter.mul_(100.0)
    scaled, _ = cell.unroll(inputs, tuple(part + 0.3 for part in state))
    torch.testing.assert_close(scaled, outputs, atol=1e-10, rtol=0.0)


def test_sru_multiplies_by_its_weights_once_a_sequence(monkeypatch):
    cell, calls, linear = SRUCell(input_size=INPUT, hidden_size=HIDDEN), [], functional.linear

    def counted(*given):
        calls.append(given)
        return linear(*given)

    monkeypatch.setattr(functional, "linear", counted)
    cell.unroll(torch.randn(2, 9, INPUT), cell.initial_state(2))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coupled": True, "input_gate": False}, r"cell\.input_gate is false, expected true: cell\.coupled"),
        ({"coupled": True, "forget_gate": False}, r"cell\.forget_gate is false, expected true: cell\.coupled"),
        ({"forget_gate": False}, r"cell\.forget_bias is 1\.0, expected null without a forget gate"),
        ({"full_gate_recurrence": True, "output_gate": False}, r"cell\.output_gate is false, expected true"),
        ({"full_gate_recurrence": True, "coupled": True}, r"cell\.coupled is true, expected false"),
    ],
)
def test_parts_that_need_each_other_are_refused_apart(options, message):
    with pytest.raises(RequestError, match=message):
        PeepholeLSTMCell(input_size=INPUT, hidden_size=HIDDEN, **options)


@pytest.mark.parametrize("identity", [0, math.inf])
def test_an_identity_of_nothing_or_without_end_is_refused(identity):
    with pytest.raises(RequestError, match=rf"cell\.identity is {identity}, expected a number above 0, or null"):
        ElmanCell(input_size=INPUT, hidden_size=HIDDEN, identity=identity)


@pytest.mark.parametrize("bias", [-1000, 1000.0, math.inf, math.nan])
def test_a_highway_bias_beyond_all_numbers_is_refused(bias):
    with pytest.raises(RequestError, match=rf"cell\.highway_bias is {bias}, expected a number from -100 to 100"):
        SRUCell(input_size=INPUT, hidden_size=HIDDEN, highway_bias=bias)
