"""The decoder of Bahdanau et al. equals a plain transcription of its equations."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.decoders.attend_first import AttendFirstDecoder
from s2s_lab.models.encoders.base import EncoderOutput

SOURCE_LEN, TARGET_LEN, EMBEDDING, MEMORY, HIDDEN, READOUT = 4, 3, 2, 6, 5, 3


def decoder(**options) -> AttendFirstDecoder:
    built = AttendFirstDecoder(
        **{
            "input_size": EMBEDDING,
            "memory_size": MEMORY,
            "summary_size": MEMORY,
            "attention": AdditiveAttention,
            "cell": GRUCell,
            "hidden_size": HIDDEN,
            **options,
        }
    )
    return built.double().eval()


def source() -> EncoderOutput:
    memory = torch.randn(1, SOURCE_LEN, MEMORY, dtype=torch.float64)
    return EncoderOutput(memory, torch.ones(1, SOURCE_LEN, dtype=torch.bool), (), memory[:, -1])


def gru(x, h, cell):
    w, u, b, d = cell.weights
    (w_r, w_z, w_n), (u_r, u_z, u_n) = w.split(HIDDEN), u.split(HIDDEN)
    (b_r, b_z, b_n), (d_r, d_z, d_n) = b.split(HIDDEN), d.split(HIDDEN)
    r = torch.sigmoid(w_r @ x + b_r + u_r @ h + d_r)
    z = torch.sigmoid(w_z @ x + b_z + u_z @ h + d_z)
    n = torch.tanh(w_n @ x + b_n + r * (u_n @ h + d_n))
    return (1 - z) * n + z * h


@pytest.mark.parametrize("readout", ["maxout", "tanh", "none"])
def test_forward_follows_the_papers_equations(readout):
    built = decoder(readout=readout, readout_size=READOUT)
    encoded, embedded = source(), torch.randn(1, TARGET_LEN, EMBEDDING, dtype=torch.float64)
    state = torch.randn(HIDDEN, dtype=torch.float64)
    prepared = built.attention.prepare(encoded)
    features, weights = built(embedded, built.initial_state(((state.unsqueeze(0),),), prepared), prepared)

    w_a = built.attention.query_projection.weight
    u_a = built.attention.memory_projection.weight
    v_a = built.attention.energy_projection.weight[0]
    annotations = encoded.memory[0]
    for position in range(TARGET_LEN):
        y = embedded[0, position]
        energies = torch.stack([v_a @ torch.tanh(w_a @ state + u_a @ annotation) for annotation in annotations])
        alpha = torch.exp(energies) / torch.exp(energies).sum()
        context = sum(weight * annotation for weight, annotation in zip(alpha, annotations, strict=True))
        state = gru(torch.cat((y, context)), state, built.stack.cells[0])
        if readout == "none":
            expected = torch.cat((state, context))
        else:
            projection = built.readout_projection
            expected = projection.weight @ torch.cat((state, y, context)) + projection.bias
            expected = torch.tanh(expected) if readout == "tanh" else torch.maximum(expected[::2], expected[1::2])
        torch.testing.assert_close(weights[0, position], alpha)
        torch.testing.assert_close(features[0, position], expected)


def test_without_attention_each_step_reads_the_summary():
    built = decoder(attention=NoAttention, readout="none")
    encoded, embedded = source(), torch.randn(1, TARGET_LEN, EMBEDDING, dtype=torch.float64)
    state = torch.zeros(HIDDEN, dtype=torch.float64)
    prepared = built.attention.prepare(encoded)
    features, weights = built(embedded, built.initial_state(((state.unsqueeze(0),),), prepared), prepared)
    assert weights is None
    for position in range(TARGET_LEN):
        state = gru(torch.cat((embedded[0, position], encoded.summary[0])), state, built.stack.cells[0])
        torch.testing.assert_close(features[0, position], torch.cat((state, encoded.summary[0])))


def test_feature_size_is_that_of_the_features():
    for options in ({"readout": "none"}, {"readout": "tanh"}, {"readout": "maxout", "readout_size": READOUT}):
        built = decoder(**options)
        prepared = built.attention.prepare(source())
        bridged = tuple(tuple(torch.zeros(1, size).double() for size in layer) for layer in built.state_sizes)
        features, _ = built(torch.zeros(1, 2, EMBEDDING).double(), built.initial_state(bridged, prepared), prepared)
        assert features.shape == (1, 2, built.feature_size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout": "relu"}, "decoder.readout is 'relu', expected one of maxout, tanh, none"),
        ({"readout_size": 0}, "decoder.readout_size is 0, expected a whole number above 0"),
        ({"hidden_size": -1}, "decoder.hidden_size is -1, expected a whole number above 0"),
        ({"num_layers": True}, "decoder.num_layers is True"),
        ({"dropout": 1.5}, "decoder.dropout is 1.5, expected a probability"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        decoder(**options)
