"""The decoder of Luong et al. equals a plain transcription of its equations."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.general import GeneralAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.decoders.attend_last import AttendLastDecoder
from s2s_lab.models.encoders.base import EncoderOutput

SOURCE_LEN, TARGET_LEN, EMBEDDING, MEMORY, HIDDEN = 4, 3, 2, 6, 5


def decoder(**options) -> AttendLastDecoder:
    built = AttendLastDecoder(
        **{
            "input_size": EMBEDDING,
            "memory_size": MEMORY,
            "summary_size": MEMORY,
            "attention": GeneralAttention,
            "cell": LSTMCell,
            "hidden_size": HIDDEN,
            "num_layers": 2,
            **options,
        }
    )
    return built.double()


def source() -> EncoderOutput:
    memory = torch.randn(1, SOURCE_LEN, MEMORY, dtype=torch.float64)
    return EncoderOutput(memory, torch.ones(1, SOURCE_LEN, dtype=torch.bool), (), memory[:, -1])


def bridged() -> tuple:
    return tuple(tuple(torch.randn(1, HIDDEN, dtype=torch.float64) for _ in range(2)) for _ in range(2))


def lstm(x, h, c, cell):
    w, u, b, d = cell.weights
    i, f, g, o = (w @ x + b + u @ h + d).split(HIDDEN)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


@pytest.mark.parametrize("attention", [GeneralAttention, NoAttention])
@pytest.mark.parametrize("input_feeding", [False, True])
def test_forward_follows_the_papers_equations(input_feeding, attention):
    if input_feeding and attention is NoAttention:
        with pytest.raises(RequestError, match=r"decoder\.input_feeding is true without attention"):
            decoder(input_feeding=True, attention=NoAttention)
        return
    built = decoder(input_feeding=input_feeding, attention=attention)
    encoded, embedded = source(), torch.randn(1, TARGET_LEN, EMBEDDING, dtype=torch.float64)
    start = bridged()
    prepared = built.attention.prepare(encoded)
    features, weights = built(embedded, built.initial_state(start, prepared), prepared)

    states = [[part[0] for part in layer] for layer in start]
    w_c, bias = built.combination.weight, built.combination.bias
    attentional = torch.zeros(HIDDEN, dtype=torch.float64)
    for position in range(TARGET_LEN):
        x = embedded[0, position]
        if input_feeding:
            x = torch.cat((x, attentional))
        for layer, cell in enumerate(built.stack.cells):
            states[layer] = lstm(x, *states[layer], cell)
            x = states[layer][0]
        if attention is NoAttention:
            context = encoded.summary[0]
        else:
            w_a = built.attention.memory_projection.weight
            energies = torch.stack([x @ w_a @ entry for entry in encoded.memory[0]])
            alpha = torch.exp(energies) / torch.exp(energies).sum()
            context = sum(weight * entry for weight, entry in zip(alpha, encoded.memory[0], strict=True))
            torch.testing.assert_close(weights[0, position], alpha)
        attentional = torch.tanh(w_c @ torch.cat((context, x)) + bias)
        torch.testing.assert_close(features[0, position], attentional)


def test_with_an_empty_context_the_features_are_the_top_state():
    built = decoder(attention=lambda **sizes: NoAttention(**sizes, context="empty"))
    embedded, start = torch.randn(1, TARGET_LEN, EMBEDDING, dtype=torch.float64), bridged()
    prepared = built.attention.prepare(source())
    features, weights = built(embedded, built.initial_state(start, prepared), prepared)
    outputs, _ = built.stack.unroll(embedded, start)
    assert weights is None and built.combination is None
    assert torch.equal(features, outputs)


def test_what_is_fed_back_is_taken_before_dropout():
    built = decoder(num_layers=1, dropout=0.5, input_feeding=True)
    encoded, start = source(), bridged()[:1]
    prepared = built.attention.prepare(encoded)
    embedded = torch.randn(1, EMBEDDING, dtype=torch.float64)
    state = built.initial_state(start, prepared)
    features, dropped, _ = built.step(embedded, state, prepared)
    whole_features, whole, _ = built.eval().step(embedded, state, prepared)
    assert torch.equal(dropped.feedback, whole.feedback)
    assert torch.equal(whole_features, whole.feedback)
    assert ((features == 0) | torch.isclose(features, 2 * whole_features)).all()
    assert not torch.equal(features, whole_features)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "decoder.hidden_size is 0, expected a whole number above 0"),
        ({"num_layers": 1.5}, "decoder.num_layers is 1.5, expected a whole number above 0"),
        ({"dropout": -1}, "decoder.dropout is -1, expected a probability"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        decoder(**options)
