"""The GNMT, conditional, context-gated and residual decoders equal plain transcriptions of their papers' equations."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.decoders.base import Decoder
from s2s_lab.models.decoders.conditional import ConditionalDecoder
from s2s_lab.models.decoders.context_gate import ContextGateDecoder
from s2s_lab.models.decoders.gnmt import GNMTDecoder
from s2s_lab.models.decoders.residual import ResidualDecoder
from s2s_lab.models.encoders.base import EncoderOutput

SOURCE_LEN, TARGET_LEN, EMBEDDING, MEMORY, HIDDEN = 4, 3, 2, 6, 5
CELLS = pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
ATTENTIONS = pytest.mark.parametrize("attention", [AdditiveAttention, NoAttention])


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def build(kind, **options) -> Decoder:
    sizes = {"input_size": EMBEDDING, "memory_size": MEMORY, "summary_size": MEMORY, "hidden_size": HIDDEN}
    return kind(**{**sizes, **options}).double().eval()


def run(built: Decoder):
    """Give tokens, memory, the bridged state, and the features and weights of one sentence."""
    memory, embedded = random(1, SOURCE_LEN, MEMORY), random(1, TARGET_LEN, EMBEDDING)
    encoded = EncoderOutput(memory, torch.ones(1, SOURCE_LEN, dtype=torch.bool), (), memory[:, -1])
    bridged = tuple(tuple(random(1, size) for size in layer) for layer in built.state_sizes)
    prepared = built.prepare(encoded)
    features, weights = built(embedded, built.initial_state(bridged, prepared), prepared)
    return embedded[0], memory[0], [list(layer) for layer in bridged], features[0], weights


def attend(attention, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """The context (1, context_size) of a query (1, hidden)."""
    if isinstance(attention, NoAttention):
        return memory[-1:]
    hidden = torch.tanh(attention.query_projection(query) + attention.memory_projection(memory))
    return torch.softmax(attention.energy_projection(hidden).T, dim=1) @ memory


@CELLS
@ATTENTIONS
def test_gnmt_feeds_the_lowest_layers_context_to_all_layers(cell, attention):
    built = build(GNMTDecoder, cell=cell, attention=attention, num_layers=4)
    embedded, memory, states, features, weights = run(built)
    for position in range(TARGET_LEN):
        context = attend(built.attention, states[0][0], memory)
        output = embedded[position].unsqueeze(0)
        for layer, one in enumerate(built.cells):
            found, states[layer] = one.step(torch.cat((output, context), 1), states[layer])
            output = found + output if layer + 1 >= 3 else found
        torch.testing.assert_close(features[position], output[0])
    assert (weights is None) == (attention is NoAttention)


@CELLS
@ATTENTIONS
@pytest.mark.parametrize(("num_layers", "readout_size"), [(1, None), (3, EMBEDDING)])
def test_the_conditional_decoder_attends_between_two_cells(cell, attention, num_layers, readout_size):
    built = build(ConditionalDecoder, cell=cell, attention=attention, num_layers=num_layers, readout_size=readout_size)
    embedded, memory, states, features, weights = run(built)
    for position in range(TARGET_LEN):
        token = embedded[position].unsqueeze(0)
        query, between = built.first.step(token, states[0])
        context = attend(built.attention, query, memory)
        output, states[0] = built.second.step(context, between)
        for layer in range(1, num_layers):
            output, states[layer] = built.stack.cells[layer - 1].step(output, states[layer])
        projection = built.readout_projection
        expected = torch.tanh(torch.cat((output, token, context), 1) @ projection.weight.T + projection.bias)
        torch.testing.assert_close(features[position], expected[0])
    assert built.feature_size == features.shape[1] == (readout_size or HIDDEN)
    assert (weights is None) == (attention is NoAttention)


@CELLS
@ATTENTIONS
@pytest.mark.parametrize("gate", ["both", "source", "target"])
def test_the_context_gate_weighs_source_against_target(cell, attention, gate):
    built = build(ContextGateDecoder, cell=cell, attention=attention, gate=gate, num_layers=2)
    embedded, memory, states, features, weights = run(built)
    w_z, w = built.token_projection.weight.split(HIDDEN)
    b_z, b = built.token_projection.bias.split(HIDDEN)
    u_z, u = built.state_projection.weight.split(HIDDEN)
    c_z, c = built.context_projection.weight.split(HIDDEN)
    for position in range(TARGET_LEN):
        y, s = embedded[position], states[-1][0]
        context = attend(built.attention, s, memory)
        z = torch.sigmoid(w_z @ y + u_z @ s[0] + c_z @ context[0] + b_z)
        target, source = w @ y + u @ s[0] + b, c @ context[0]
        x = {
            "source": target + z * source,
            "target": z * target + source,
            "both": (1 - z) * target + z * source,
        }[gate]
        output = x.unsqueeze(0)
        for layer, one in enumerate(built.stack.cells):
            output, states[layer] = one.step(output, states[layer])
        projection = built.readout_projection
        expected = torch.tanh(projection.weight @ torch.cat((output[0], y, context[0])) + projection.bias)
        torch.testing.assert_close(features[position], expected)
    assert (weights is None) == (attention is NoAttention)


@CELLS
@ATTENTIONS
@pytest.mark.parametrize("dense", [False, True])
def test_a_residual_stack_adds_what_its_layers_read(cell, attention, dense):
    built = build(ResidualDecoder, cell=cell, attention=attention, num_layers=4, dense=dense)
    embedded, memory, states, features, weights = run(built)
    for position in range(TARGET_LEN):
        outputs = []
        for layer, one in enumerate(built.cells):
            read = outputs[-1] if outputs else embedded[position].unsqueeze(0)
            output, states[layer] = one.step(read, states[layer])
            outputs.append(output + sum(outputs if dense else outputs[-1:]))
        context = attend(built.attention, outputs[-1], memory)
        projection = built.combination
        expected = torch.tanh(torch.cat((context, outputs[-1]), 1) @ projection.weight.T + projection.bias)
        torch.testing.assert_close(features[position], expected[0])
    assert (weights is None) == (attention is NoAttention)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (ConditionalDecoder, {"empty": True}, "the second cell of decoder=conditional_gru reads a context"),
        (ConditionalDecoder, {"readout_size": 0}, "decoder.readout_size is 0, expected a whole number above 0"),
        (ContextGateDecoder, {"empty": True}, "the gate of decoder=context_gate weighs a context"),
        (ContextGateDecoder, {"gate": "none"}, "decoder.gate is 'none', expected one of both, source, target"),
        (GNMTDecoder, {"num_layers": 0}, "decoder.num_layers is 0, expected a whole number above 0"),
    ],
)
def test_impossible_options_are_refused(kind, options, message):
    def attention(**sizes):
        return NoAttention(**sizes, context="empty" if options.get("empty") else "summary")

    rest = {key: value for key, value in options.items() if key != "empty"}
    with pytest.raises(RequestError, match=f"^{message}"):
        build(kind, cell=GRUCell, attention=attention, **rest)
