"""Bridges give the decoder the state it asks for."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.bridges.copy import CopyBridge
from s2s_lab.models.bridges.projected import ProjectedBridge
from s2s_lab.models.bridges.zero import ZeroBridge

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
