"""What a training step costs, counted and not timed: the arithmetic of its products and the number of operations."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.network import build_network
from s2s_lab.models.outputs.cross_entropy import ALIGNMENT
from s2s_lab.models.seq2seq import Seq2Seq
from tests.operations import Operations

BATCH, SOURCE, HIDDEN, EMBEDDING, VOCABULARY = 64, 5, 32, 16, 128
MODELS = {
    "additive": ("model=gru_attention",),
    "general": ("model=lstm_attention", "attention=general", "bridge=copy"),
}
OPERATIONS_A_STEP = {"additive": 140, "general": 105}
"""Most operations, views included, that one target position may add to a training step, forwards and backwards."""


def network(name: str) -> Seq2Seq:
    words = [f"encoder.hidden_size={HIDDEN}", f"decoder.hidden_size={HIDDEN}", f"embedding.embedding_size={EMBEDDING}"]
    settings = plain(compose_jobs("train", [*MODELS[name], *words], multirun=False, folder=None)[0])
    return build_network(settings, source_size=VOCABULARY, target_size=VOCABULARY, shared=False)


def train(built: Seq2Seq, target_len: int) -> None:
    sources = torch.randint(4, VOCABULARY, (BATCH, SOURCE)), torch.full((BATCH,), SOURCE)
    targets = torch.randint(4, VOCABULARY, (BATCH, target_len))
    features, _ = built((sources,), targets)
    loss, _ = built.output.loss(features.flatten(0, 1), targets.flatten())
    loss.backward()


@pytest.mark.parametrize("name", MODELS)
def test_a_target_position_adds_few_operations(name: str) -> None:
    built, counts = network(name), []
    for target_len in (4, 12):
        with Operations() as operations:
            train(built, target_len)
        counts.append(operations.count)
    assert (counts[1] - counts[0]) / 8 <= OPERATIONS_A_STEP[name]


@pytest.mark.parametrize("name", MODELS)
def test_no_product_is_made_twice(name: str) -> None:
    """A position costs three products (forwards, both gradients) with each weight it meets, once, and the attention."""
    built, counts = network(name), []
    for target_len in (4, 12):
        with FlopCounterMode(display=False) as counter:
            train(built, target_len)
        counts.append(counter.get_total_flops())
    gates = {"additive": 3, "general": 4}[name]
    weights = gates * HIDDEN * (EMBEDDING + HIDDEN + HIDDEN)  # token, fed-back features, state
    weights += 2 * HIDDEN * HIDDEN + VOCABULARY * HIDDEN  # combination, output
    attention = SOURCE * HIDDEN  # the sum of the memory
    if name == "additive":
        weights += HIDDEN * HIDDEN  # query
        attention += SOURCE * HIDDEN * 2 / 3  # energies, and the gradient of their direction alone
    else:
        attention += SOURCE * HIDDEN
    assert VOCABULARY % ALIGNMENT == 0 and BATCH % ALIGNMENT == 0  # so that the loss pads nothing
    assert (counts[1] - counts[0]) / 8 <= 1.001 * 2 * 3 * BATCH * (weights + attention)
