"""The eight energies of Bahdanau et al. and Luong et al. learn to copy: few steps of training bring the loss down."""

import math

import pytest
import torch

from s2s_lab.models.seq2seq import Seq2Seq
from tests.contracts.networks import make

BATCH, LENGTH, SYMBOLS, BOS, FIRST, SIZE, STEPS = 24, 4, 5, 2, 4, 16, 30
BLIND = math.log(SYMBOLS)  # what guessing among the symbols costs


def network(attention: str) -> Seq2Seq:
    vocabulary = FIRST + SYMBOLS
    source_embedding, target_embedding = make("embedding", "separate", embedding_size=SIZE)(
        source_vocabulary_size=vocabulary, target_vocabulary_size=vocabulary, shared_vocabulary=False, padding_id=0
    )
    cell, one = make("cell", "gru"), {"hidden_size": SIZE, "num_layers": 1}
    encoder = make("encoder", "recurrent", **one, bidirectional=True)(input_size=SIZE, cell=cell)
    sizes = {"memory_size": SIZE, "summary_size": encoder.summary_size}
    options = {"half_width": 1} if attention.startswith("local_") else {}
    decoder = make("decoder", "attend_last", **one)(
        input_size=SIZE, **sizes, attention=make("attention", attention, **options), cell=cell
    )
    bridge = make("bridge", "zero")(encoder_state_sizes=encoder.state_sizes, decoder_state_sizes=decoder.state_sizes)
    output = make("output", "linear")(
        feature_size=decoder.feature_size, vocabulary_size=vocabulary, target_embedding=target_embedding
    )
    return Seq2Seq(
        source_embedding=source_embedding,
        target_embedding=target_embedding,
        encoder=encoder,
        bridge=bridge,
        decoder=decoder,
        output=output,
    )


def loss_after_training(attention: str) -> float:
    """Give the mean loss of the last five steps, natural log for each token."""
    built, losses = network(attention), []
    optimizer = torch.optim.Adam(built.parameters(), lr=0.03)
    for _ in range(STEPS):
        symbols = torch.randint(FIRST, FIRST + SYMBOLS, (BATCH, LENGTH))
        inputs = torch.cat((torch.full((BATCH, 1), BOS), symbols[:, :-1]), 1)
        features, _ = built(((symbols, torch.full((BATCH,), LENGTH)),), inputs)
        loss, _ = built.output.loss(features.flatten(0, 1), symbols.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / symbols.numel())
    return sum(losses[-5:]) / 5


@pytest.mark.parametrize(
    "attention", ["dot", "scaled_dot", "general", "additive", "concat", "location", "local_m", "local_p"]
)
def test_an_energy_learns_to_copy(attention: str) -> None:
    """The first state being zeros, all that the decoder knows of the source comes through the attention."""
    assert loss_after_training(attention) < 0.75 * BLIND


def test_without_attention_nothing_can_be_copied() -> None:
    assert loss_after_training("start_only") > 0.95 * BLIND
