"""Bridges give the decoder the state it asks for."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.bridges.attention_pooled import AttentionPooledBridge
from s2s_lab.models.bridges.constant import ConstantBridge
from s2s_lab.models.bridges.copy import CopyBridge
from s2s_lab.models.bridges.mean import MeanBridge
from s2s_lab.models.bridges.per_layer import PerLayerBridge
from s2s_lab.models.bridges.projected import ProjectedBridge
from s2s_lab.models.bridges.zero import ZeroBridge
from s2s_lab.models.encoders.base import EncoderOutput

ENCODER = ((3, 3), (3, 3))
DECODER = ((5,), (4,), (5,))
FINAL = tuple(tuple(torch.randn(2, size) for size in layer) for layer in ENCODER)


def test_zero_gives_zeros_of_the_decoders_sizes():
    state = ZeroBridge(encoder_state_sizes=ENCODER, decoder_state_sizes=DECODER)(FINAL, FINAL[-1][0])
    assert [[tuple(part.shape) for part in layer] for layer in state] == [[(2, 5)], [(2, 4)], [(2, 5)]]
    assert all(part.eq(0).all() for layer in state for part in layer)


def test_copy_gives_the_final_state_itself():
    state = CopyBridge(encoder_state_sizes=ENCODER, decoder_state_sizes=ENCODER)(FINAL, FINAL[-1][0])
    for layer, expected in zip(state, FINAL, strict=True):
        assert all(part is other for part, other in zip(layer, expected, strict=True))


def test_copy_refuses_unequal_states_naming_both():
    with pytest.raises(RequestError) as fault:
        CopyBridge(encoder_state_sizes=ENCODER, decoder_state_sizes=DECODER)
    assert str(ENCODER) in str(fault.value) and str(DECODER) in str(fault.value)


@pytest.mark.parametrize(("nonlinearity", "function"), [("tanh", torch.tanh), ("identity", lambda values: values)])
def test_projected_maps_the_top_output_to_every_part(nonlinearity, function):
    bridge = ProjectedBridge(
        encoder_state_sizes=ENCODER, decoder_state_sizes=((5, 4), (2, 1)), nonlinearity=nonlinearity
    )
    state = bridge(FINAL, FINAL[-1][0])
    for layer, projections in zip(state, bridge.projections, strict=True):
        for part, projection in zip(layer, projections, strict=True):
            torch.testing.assert_close(part, function(FINAL[-1][0] @ projection.weight.t() + projection.bias))


def test_projected_refuses_an_unknown_nonlinearity():
    with pytest.raises(RequestError, match=r"bridge\.nonlinearity is 'relu', expected one of tanh, identity"):
        ProjectedBridge(encoder_state_sizes=ENCODER, decoder_state_sizes=ENCODER, nonlinearity="relu")


MEMORY = 3
MASK = torch.tensor([[True, True, True, False], [True, False, False, False]])


def encoded() -> EncoderOutput:
    memory = torch.randn(2, 4, MEMORY, dtype=torch.float64).masked_fill(~MASK.unsqueeze(2), 0.0)
    final = tuple(tuple(part.double() for part in layer) for layer in FINAL)
    return EncoderOutput(memory, MASK, final, memory.sum(dim=1))


@pytest.mark.parametrize("kind", [MeanBridge, AttentionPooledBridge])
def test_pooling_bridges_project_what_the_papers_equations_pool(kind):
    bridge = kind(encoder_state_sizes=ENCODER, decoder_state_sizes=DECODER, memory_size=MEMORY).double()
    given = encoded()
    state = bridge.begin(given)
    for row, length in enumerate((3, 1)):
        entries = given.memory[row, :length]
        shares = torch.full((length,), 1.0 / length, dtype=torch.float64)
        if kind is AttentionPooledBridge:
            energies = [torch.tanh(bridge.key.weight @ entry + bridge.key.bias) for entry in entries]
            powers = torch.stack([(bridge.query.weight[0] @ energy).exp() for energy in energies])
            shares = powers / powers.sum()
        pooled = sum(share * entry for share, entry in zip(shares, entries, strict=True))
        for layer, projections in zip(state, bridge.projections, strict=True):
            for part, projection in zip(layer, projections, strict=True):
                torch.testing.assert_close(part[row], torch.tanh(projection.weight @ pooled + projection.bias))


@pytest.mark.parametrize("kind", [MeanBridge, AttentionPooledBridge])
def test_pooling_bridges_have_nothing_for_a_decoder_without_state(kind):
    bridge = kind(encoder_state_sizes=ENCODER, decoder_state_sizes=(), memory_size=MEMORY)
    assert bridge.begin(encoded()) == () and not list(bridge.parameters())


def test_constant_gives_every_row_the_same_learned_state():
    bridge = ConstantBridge(encoder_state_sizes=ENCODER, decoder_state_sizes=DECODER)
    for parameter in bridge.parameters():
        torch.nn.init.normal_(parameter)
    state = bridge(FINAL, FINAL[-1][0])
    for layer, starts in zip(state, bridge.starts, strict=True):
        for part, start in zip(layer, starts, strict=True):
            assert torch.equal(part, torch.stack((start, start)))


@pytest.mark.parametrize(
    ("decoder", "sources"),
    [
        (((5, 5), (4, 4)), [[(0, 0), (0, 1)], [(1, 0), (1, 1)]]),  # the same height, the same part
        (((5,), (4,), (5,)), [[(0, 0)], [(0, 0)], [(1, 0)]]),  # paired from the top, the lowest serves the rest
        (((4, 4, 4),), [[(1, 0), (1, 1), (1, 0)]]),  # a part that the encoder lacks comes from its output
    ],
)
def test_per_layer_projects_each_part_of_the_layer_of_the_same_height(decoder, sources):
    bridge = PerLayerBridge(encoder_state_sizes=ENCODER, decoder_state_sizes=decoder)
    state = bridge(FINAL, FINAL[-1][0])
    for layer, projections, places in zip(state, bridge.projections, sources, strict=True):
        for part, projection, (height, place) in zip(layer, projections, places, strict=True):
            given = FINAL[height][place]
            torch.testing.assert_close(part, torch.tanh(given @ projection.weight.t() + projection.bias))
