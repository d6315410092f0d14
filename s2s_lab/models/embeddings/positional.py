"""Embeddings that know where in its sentence a token stands."""

import math

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.checks import require_choice, require_dropout, require_positive
from s2s_lab.models.embeddings.base import Embedding
from s2s_lab.models.embeddings.token import TokenEmbedding


class PositionalEmbedding(Embedding):
    """The sum of a token's vector and its position's, with dropout on its entries.

    "sinusoidal": entries 2i and 2i + 1 of position t are sin and cos of t / 10000^(2i / embedding_size). "learned": a
    table; positions from `max_length` on share its last row.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.5; learned ones as in Gehring et al. 2017, arXiv
    1705.03122, section 3.1. Deviation: the tokens' vectors are not scaled.

    Args:
        vocabulary_size: number of ids.
        embedding_size: width of a vector.
        padding_id: the id whose vector is zero.
        dropout: probability of zeroing an entry.
        positions: "sinusoidal" or "learned".
        max_length: learned positions.
    """

    positional = True

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_size: int,
        padding_id: int = 0,
        dropout: float = 0.0,
        positions: str = "sinusoidal",
        max_length: int = 512,
    ) -> None:
        super().__init__()
        require_choice("embedding.positions", positions, ("sinusoidal", "learned"))
        require_positive("embedding.max_length", max_length)
        require_dropout("embedding.dropout", dropout)
        self.tokens = TokenEmbedding(
            vocabulary_size=vocabulary_size, embedding_size=embedding_size, padding_id=padding_id
        )
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.max_length = max_length
        self.places = nn.Embedding(max_length, embedding_size) if positions == "learned" else None
        self.dropout = nn.Dropout(dropout)

    @property
    def weight(self) -> Tensor:
        """The tokens' table (vocab, embedding_size)."""
        return self.tokens.weight

    def forward(self, ids: Tensor, positions: Tensor | None = None) -> Tensor:
        """Look ids (..., length) up: (..., length, embedding_size).

        Args:
            ids: (..., length).
            positions: whole numbers of any type that broadcast with the ids; 0 to length - 1 if None.
        """
        if positions is None:
            positions = torch.arange(ids.shape[-1], device=ids.device)
        vectors = self.tokens(ids)
        return self.dropout(vectors + self._of_positions(positions).to(vectors.dtype))

    def _of_positions(self, positions: Tensor) -> Tensor:
        if self.places is not None:
            return self.places(positions.long().clamp(max=self.max_length - 1))
        return sinusoids(positions, self.embedding_size, torch.promote_types(self.weight.dtype, torch.float32))


def sinusoids(positions: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """Give the sines and cosines (..., size) of positions (...), see PositionalEmbedding."""
    places = torch.arange(size, device=positions.device)
    rates = torch.exp((places - places % 2).to(dtype) * (-math.log(10000.0) / size))
    angles = positions.to(dtype).unsqueeze(-1) * rates
    return torch.where(places % 2 == 0, angles.sin(), angles.cos())


def build(
    *,
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    shared_vocabulary: bool,
    padding_id: int,
    embedding_size: int,
    dropout: float = 0.0,
    positions: str = "sinusoidal",
    max_length: int = 512,
    shared: bool = False,
) -> tuple[PositionalEmbedding, PositionalEmbedding]:
    """Build one embedding for each side, or one for both.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        shared_vocabulary: whether both sides have one vocabulary.
        padding_id: the id of padding.
        embedding_size: width of a vector.
        dropout: probability of zeroing an entry.
        positions: "sinusoidal" or "learned".
        max_length: learned positions.
        shared: whether one embedding serves both sides.

    Returns:
        The source's embedding and the target's.

    Raises:
        RequestError: `shared` without a common vocabulary.
    """
    if shared and not shared_vocabulary:
        raise RequestError(
            "embedding.shared is true, but source and target have vocabularies of their own, expected false; or share "
            "the vocabulary: data.vocabulary.shared=true"
        )
    source, target = (
        PositionalEmbedding(
            vocabulary_size=size,
            embedding_size=embedding_size,
            padding_id=padding_id,
            dropout=dropout,
            positions=positions,
            max_length=max_length,
        )
        for size in (source_vocabulary_size, target_vocabulary_size)
    )
    return (target, target) if shared else (source, target)
