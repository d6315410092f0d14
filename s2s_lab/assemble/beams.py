"""The search trees of an evaluation's first sentences, from a pass of their own over these alone."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.inference.encodings import encode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches

SCHEMA = 1


def beams_of(
    model: FrozenModel,
    strategy: DecodingStrategy,
    source_ids: Sequence[Sequence[int]],
    *,
    device: torch.device,
    exact_lengths: Sequence[int] | None = None,
) -> dict[str, Any] | None:
    """Decodes sentences once more, and tells what the strategy looked at.

    Args:
        model: in eval mode, on `device`.
        strategy: any; one that tells nothing is not run.
        source_ids: of the first sentences of the split, eos included.
        device: where the model is.
        exact_lengths: as of `decode_batches`.

    Returns:
        beams.json: schema and sentences, each with index, source (tokens), nodes (their tokens as text) and best (the
        nodes that the returned hypotheses end in); None where the strategy tells nothing or no sentence is given.
    """
    if not getattr(strategy, "traces", False) or not source_ids:
        return None
    sentences = []
    for index, ids in enumerate(source_ids):
        (batch,) = length_sorted_batches(source_ids, sentences=1, rows=[index])
        batch = batch.to(device)
        memory, state, _ = encode(model.network, batch)
        lengths = None if exact_lengths is None else torch.tensor([exact_lengths[index]], device=device)
        trace = new_trace()
        traced: dict[str, Any] = {"trace": trace}
        strategy.decode(
            model.network.step,
            state,
            memory,
            source_lengths=batch.sources[0][1],
            sentence_index=batch.index,
            exact_lengths=lengths,
            **traced,
        )
        (told,) = trace.sentences()
        nodes = [{**node, "token": _token(model, node)} for node in told["nodes"]]
        sentences.append({"index": index, "source": model.source.tokens(ids), "nodes": nodes, "best": told["best"]})
    return {"schema": SCHEMA, "sentences": sentences}


def new_trace() -> Any:
    """An empty trace of a search."""
    return importlib.import_module("s2s_lab.decoding.trace").Trace()


def _token(model: FrozenModel, node: Mapping[str, Any]) -> str:
    return model.target.vocabulary.tokens[node["token"]]
