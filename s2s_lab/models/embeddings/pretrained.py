"""Embeddings whose vectors are read from files."""

import torch
from torch import Tensor

from s2s_lab.faults import RequestError
from s2s_lab.models.embeddings.token import TokenEmbedding


class PretrainedEmbedding(TokenEmbedding):
    """A table of which some rows are filled with given vectors before training.

    Papers of such vectors: Mikolov et al. 2013, arXiv 1301.3781 (word2vec); Pennington et al. 2014, EMNLP (GloVe);
    Bojanowski et al. 2017, arXiv 1607.04606 (fastText).

    Args:
        vocabulary_size: number of ids.
        embedding_size: width of a vector.
        padding_id: the id whose vector is zero.
        dropout: probability of zeroing an entry.
        vectors: path of a text file of vectors; None leaves the table as it is initialized, and trained.
        frozen: whether the table, rows without a given vector too, stays as it was filled.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_size: int,
        padding_id: int = 0,
        dropout: float = 0.0,
        vectors: str | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__(
            vocabulary_size=vocabulary_size, embedding_size=embedding_size, padding_id=padding_id, dropout=dropout
        )
        self.vectors = vectors
        self.table.weight.requires_grad_(vectors is None or not frozen)

    @torch.no_grad()
    def fill(self, ids: Tensor, vectors: Tensor) -> None:
        """Take vectors (count, embedding_size) as the rows of ids (count,)."""
        self.table.weight[ids] = vectors.to(self.table.weight)


def build(
    *,
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    shared_vocabulary: bool,
    padding_id: int,
    embedding_size: int,
    dropout: float = 0.0,
    source_vectors: str | None = None,
    target_vectors: str | None = None,
    frozen: bool = False,
) -> tuple[PretrainedEmbedding, PretrainedEmbedding]:
    """Build one embedding for each side.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        shared_vocabulary: whether both sides have one vocabulary; makes no difference here.
        padding_id: the id of padding.
        embedding_size: width of a vector.
        dropout: probability of zeroing an entry.
        source_vectors: path of the source's vectors, or None.
        target_vectors: path of the target's vectors, or None.
        frozen: whether tables with given vectors are not trained.

    Returns:
        The source's embedding and the target's.

    Raises:
        RequestError: `frozen` without any vectors.
    """
    if frozen and source_vectors is None and target_vectors is None:
        raise RequestError(
            "embedding.frozen is true, but there are no vectors to keep, expected false; or give "
            "embedding.source_vectors or embedding.target_vectors"
        )
    source, target = (
        PretrainedEmbedding(
            vocabulary_size=size,
            embedding_size=embedding_size,
            padding_id=padding_id,
            dropout=dropout,
            vectors=vectors,
            frozen=frozen,
        )
        for size, vectors in (
            (source_vocabulary_size, source_vectors),
            (target_vocabulary_size, target_vectors),
        )
    )
    return source, target
