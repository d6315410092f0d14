"""The search trees of an evaluation's first sentences, from a pass of their own over these alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.task import Demands
from s2s_lab.decoding.trace import Trace
from s2s_lab.inference.encodings import encode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.inference.view import Network

SCHEMA = 1
COPIED = "<copied>"


def beams_of(
    model: FrozenModel,
    strategy: DecodingStrategy,
    source_ids: Sequence[Sequence[int]],
    *,
    network: Network | None = None,
    exact_lengths: Sequence[int] | None = None,
    demands: Demands | None = None,
) -> dict[str, Any] | None:
    """Decodes sentences once more, and tells what the strategy looked at.

    Args:
        model: in eval mode.
        strategy: any; one that tells nothing is not run.
        source_ids: of the first sentences of the split, eos included.
        network: what is decoded with; the model's own network where None.
        exact_lengths: as of `decode_batches`.
        demands: as of `decode_batches`.

    Returns:
        beams.json: schema and sentences, each with index, source (tokens), nodes (their tokens as text) and best (the
        nodes that the returned hypotheses end in); None where the strategy tells nothing or no sentence is given.
    """
    if not strategy.traces or not source_ids:
        return None
    network, device = network or model.network, next(model.network.parameters()).device
    sentences = []
    for index, ids in enumerate(source_ids):
        (batch,) = length_sorted_batches(source_ids, sentences=1, rows=[index])
        batch = batch.to(device)
        memory, state = encode(network, batch)[:2]
        lengths = None if exact_lengths is None else torch.tensor([exact_lengths[index]], device=device)
        trace = Trace()
        strategy.decode(
            network.step,
            state,
            memory,
            source_lengths=batch.source_lengths,
            sentence_index=batch.index,
            exact_lengths=lengths,
            demands=None if demands is None else demands.of([index]),
            trace=trace,
        )
        (told,) = trace.sentences()
        nodes = [{**node, "token": _token(model, node)} for node in told["nodes"]]
        sentences.append({"index": index, "source": model.source.tokens(ids), "nodes": nodes, "best": told["best"]})
    return {"schema": SCHEMA, "sentences": sentences}


def _token(model: FrozenModel, node: Mapping[str, Any]) -> str:
    """The token of a node; ids beyond the vocabulary are words that a copying output took from the source."""
    tokens = model.target.vocabulary.tokens
    return tokens[node["token"]] if node["token"] < len(tokens) else COPIED
