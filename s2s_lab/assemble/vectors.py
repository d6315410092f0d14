"""Fills embeddings with the vectors of the files that their configuration names."""

import logging
from pathlib import Path
from typing import Any

import torch

from s2s_lab.data.prepared import PreparedData
from s2s_lab.data.vectors import read_vectors
from s2s_lab.data.vocabulary import NUM_SPECIALS
from s2s_lab.faults import RequestError
from s2s_lab.models.embeddings.pretrained import PretrainedEmbedding
from s2s_lab.models.seq2seq import Seq2Seq

log = logging.getLogger(__name__)

VECTORS = ("source_vectors", "target_vectors")
"""Keys of conf/embedding/pretrained.yaml that name files."""


def check_vector_files(network: Seq2Seq) -> None:
    """Looks that the files of vectors are there; the network may be on the meta device.

    Raises:
        RequestError: if one is missing.
    """
    for side, embedding in _pretrained(network).items():
        if not Path(str(embedding.vectors)).is_file():
            raise RequestError(f"embedding.{side}_vectors={embedding.vectors}: no such file; word vectors are expected")


def fill_embeddings(network: Seq2Seq, prepared: PreparedData) -> dict[str, dict[str, Any]]:
    """Fills the network's embeddings, in place.

    Returns:
        For each side with a file: the file, the ordinary tokens it has vectors for, and all ordinary tokens.

    Raises:
        RequestError: if a file cannot be read, is broken, or its vectors have another size.
    """
    coverage = {}
    for side, embedding in _pretrained(network).items():
        tokens = getattr(prepared, f"{side}_vocabulary").tokens
        wanted = {token: id_ for id_, token in enumerate(tokens) if id_ >= NUM_SPECIALS}
        ids, vectors = read_vectors(Path(str(embedding.vectors)), wanted, embedding.embedding_size)
        embedding.fill(torch.from_numpy(ids), torch.from_numpy(vectors))
        coverage[side] = {"file": embedding.vectors, "found": len(ids), "tokens": len(wanted)}
        share = len(ids) / max(len(wanted), 1)
        log.info(
            "%s has vectors for %d of %d %s tokens (%.1f %%)",
            embedding.vectors, len(ids), len(wanted), side, 100 * share,
        )  # fmt: skip
    return coverage


def _pretrained(network: Seq2Seq) -> dict[str, PretrainedEmbedding]:
    sides = {"source": network.source_embedding, "target": network.target_embedding}
    return {side: part for side, part in sides.items() if isinstance(part, PretrainedEmbedding) and part.vectors}
