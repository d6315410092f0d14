"""Initializations draw what they say."""

import pytest
import torch
from torch import nn

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.initialization.glorot_orthogonal import GlorotOrthogonalInitialization
from s2s_lab.models.initialization.torch_default import TorchDefaultInitialization
from s2s_lab.models.initialization.uniform import UniformInitialization

HIDDEN = 8


def network() -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "embedding": nn.Embedding(500, 4, padding_idx=1),
            "gru": GRUCell(input_size=4, hidden_size=HIDDEN),
            "lstm": LSTMCell(input_size=4, hidden_size=HIDDEN),
            "linear": nn.Linear(HIDDEN, 5),
        }
    )


def test_uniform_stays_within_its_scale_and_fills_it():
    built = network()
    UniformInitialization(scale=0.3)(built)
    values = torch.cat([built[part].weight.flatten() for part in ("embedding", "linear")] + [built["linear"].bias])
    assert values.abs().max() <= 0.3
    assert values.max() > 0.29 and values.min() < -0.29


def test_glorot_orthogonal_gives_each_kind_its_own():
    built = network()
    GlorotOrthogonalInitialization(embedding_deviation=0.05)(built)
    for cell in (built["gru"], built["lstm"]):
        input_weight, recurrent_weight, _, _ = cell.weights
        for gate in recurrent_weight.split(HIDDEN):
            torch.testing.assert_close(gate @ gate.t(), torch.eye(HIDDEN), atol=1e-5, rtol=0.0)
        bound = (6 / (4 + HIDDEN)) ** 0.5
        assert 0.9 * bound < input_weight.abs().max() <= bound
    assert all(bias.eq(0).all() for bias in (*built["gru"].weights[2:], built["linear"].bias))
    assert 0.04 < built["embedding"].weight.std() < 0.06


def test_glorot_draws_embeddings_by_their_width_where_no_deviation_is_given():
    built = nn.ModuleDict({"embedding": nn.Embedding(500, 16)})
    GlorotOrthogonalInitialization(embedding_deviation=None)(built)
    assert 0.24 < built["embedding"].weight.std() < 0.26


@pytest.mark.parametrize("initialization", [GlorotOrthogonalInitialization, UniformInitialization])
def test_normalisations_start_without_effect(initialization):
    built = nn.ModuleDict({"norm": nn.LayerNorm(4)})
    initialization()(built)
    assert built["norm"].weight.eq(1.0).all() and built["norm"].bias.eq(0.0).all()


def test_torch_default_changes_only_what_cells_fix():
    built = network()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    TorchDefaultInitialization()(built)
    changed = {name for name, value in built.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"lstm.layer.bias_ih_l0", "lstm.layer.bias_hh_l0"}


def test_impossible_options_are_refused():
    with pytest.raises(RequestError, match=r"initialization\.scale is 0, expected a number above 0"):
        UniformInitialization(scale=0)
    with pytest.raises(RequestError, match=r"initialization\.scale is inf, expected a number above 0"):
        UniformInitialization(scale=float("inf"))
    with pytest.raises(RequestError, match=r"initialization\.embedding_deviation is -1, expected a number above 0"):
        GlorotOrthogonalInitialization(embedding_deviation=-1)
