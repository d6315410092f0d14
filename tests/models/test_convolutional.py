"""The convolutional parts equal a plain transcription of the equations of Gehring et al. 2017, scaled as documented."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.dot import DotAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.decoders.convolutional import ConvolutionalDecoder
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.encoders.convolutional import ConvolutionalEncoder
from s2s_lab.models.initialization.uniform import UniformInitialization
from s2s_lab.models.layers.convolution import GatedConvolution, NormalisedLinear

BATCH, SOURCE_LEN, TARGET_LEN, EMBEDDING, SIZE, LAYERS = 3, 5, 4, 3, 6, 2
LENGTHS = torch.tensor([5, 2, 4])
MASK = torch.arange(SOURCE_LEN) < LENGTHS.unsqueeze(1)
HALF = 0.5**0.5


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def perturbed(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.double().eval()


def encoder(**options) -> ConvolutionalEncoder:
    return perturbed(
        ConvolutionalEncoder(**{"input_size": EMBEDDING, "hidden_size": SIZE, "num_layers": LAYERS, **options})
    )


def decoder(**options) -> ConvolutionalDecoder:
    sizes = {"input_size": EMBEDDING, "memory_size": SIZE, "summary_size": SIZE, "attention": DotAttention}
    return perturbed(ConvolutionalDecoder(**{**sizes, "hidden_size": SIZE, "num_layers": LAYERS, **options}))


def linear(part: NormalisedLinear, value: torch.Tensor) -> torch.Tensor:
    weight = torch.stack([g * v / v.norm() for g, v in zip(part.gain, part.direction, strict=True)])
    return value @ weight.T + part.bias


def convolved(part: GatedConvolution, padded: torch.Tensor) -> torch.Tensor:
    """The layer's convolutions over one sequence (length + kernel_size - 1, size), by torch's own."""
    weight = torch.stack(
        [g * v / v.norm() for g, v in zip(part.projection.gain, part.projection.direction, strict=True)]
    )
    weight = weight.unflatten(1, (part.kernel_size, SIZE)).transpose(1, 2)  # (2 x size, size, kernel_size)
    values, gates = functional.conv1d(padded.T.unsqueeze(0), weight, part.projection.bias)[0].T.chunk(2, dim=1)
    return values * torch.sigmoid(gates)


def test_a_normalised_linear_map_equals_torchs():
    ours = perturbed(NormalisedLinear(4, 3))
    theirs = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)).double()
    with torch.no_grad():
        theirs.parametrizations.weight.original0.copy_(ours.gain)
        theirs.parametrizations.weight.original1.copy_(ours.direction)
        theirs.bias.copy_(ours.bias)
    inputs = random(5, 4)
    torch.testing.assert_close(ours(inputs), theirs(inputs))


def test_an_initialization_draws_the_weight_itself():
    built = nn.ModuleDict({"map": NormalisedLinear(4, 3)})
    UniformInitialization(scale=0.3)(built)
    inputs = torch.randn(2, 4)
    torch.testing.assert_close(built["map"](inputs), inputs @ built["map"].direction.T + built["map"].bias)


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
def test_the_encoder_follows_the_papers_equations(kernel_size):
    built, embedded = encoder(kernel_size=kernel_size), random(BATCH, SOURCE_LEN, EMBEDDING)
    memory, mask, ((final,),), summary, *_ = built(embedded, LENGTHS)
    left, right = (kernel_size - 1) // 2, kernel_size // 2
    for row, length in enumerate(LENGTHS.tolist()):
        entered = linear(built.entry, embedded[row, :length] + built.positions.table[:length])
        outputs = entered
        for layer in built.layers:
            found = convolved(layer, functional.pad(outputs, (0, 0, left, right)))
            outputs = (found + outputs) * HALF
        expected = (linear(built.exit, outputs) + entered) * HALF
        torch.testing.assert_close(memory[row, :length], expected)
        torch.testing.assert_close(final[row], expected.mean(0))
    assert torch.equal(summary, final) and torch.equal(mask, MASK) and memory[~MASK].eq(0.0).all()


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("attention", [DotAttention, NoAttention])
def test_the_decoder_follows_the_papers_equations(attention, kernel_size):
    built = decoder(attention=attention, kernel_size=kernel_size)
    embedded, start = random(BATCH, TARGET_LEN, EMBEDDING), random(BATCH, SIZE)
    memory = random(BATCH, SOURCE_LEN, SIZE).masked_fill(~MASK.unsqueeze(2), 0.0)
    prepared = built.prepare(EncoderOutput(memory, MASK, (), memory[:, 0]))
    features, weights = built(embedded, built.initial_state(((start,),), prepared), prepared)
    for row, length in enumerate(LENGTHS.tolist()):
        entered = linear(built.entry, embedded[row] + built.positions.table[:TARGET_LEN])
        entered[0] += start[row]
        outputs, all_weights = entered, []
        for layer in built.layers:
            found = convolved(layer.convolution, functional.pad(outputs, (0, 0, kernel_size - 1, 0)))
            if attention is DotAttention:
                query = (linear(layer.query_projection, found) + entered) * HALF
                alpha = torch.softmax(query @ memory[row, :length].T, dim=1)
                all_weights.append(alpha)
                context = length * (1 / length) ** 0.5 * alpha @ memory[row, :length]
            else:
                context = memory[row, 0].expand(TARGET_LEN, -1)
            found = (found + linear(layer.combination, context)) * HALF
            outputs = (found + outputs) * HALF
        torch.testing.assert_close(features[row], linear(built.exit, outputs))
        if attention is DotAttention:
            torch.testing.assert_close(weights[row, :, :length], torch.stack(all_weights).mean(0))
    assert attention is DotAttention or weights is None


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (encoder, {"positions": "rotary"}, "encoder.positions is 'rotary', expected one of sinusoidal, learned, none"),
        (decoder, {"positions": "rotary"}, "decoder.positions is 'rotary', expected one of sinusoidal, learned, none"),
        (encoder, {"kernel_size": 0}, "encoder.kernel_size is 0, expected a whole number above 0"),
        (decoder, {"kernel_size": 0}, "decoder.kernel_size is 0, expected a whole number above 0"),
    ],
)
def test_impossible_options_are_refused(build, options, message):
    with pytest.raises(RequestError, match=f"^{message}"):
        build(**options)
