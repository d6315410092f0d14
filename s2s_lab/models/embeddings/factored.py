"""The embedding of source tokens that carry factors."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.checks import require_choice, require_dropout, require_positive
from s2s_lab.models.embeddings.base import Embedding
from s2s_lab.models.embeddings.token import TokenEmbedding

WAYS = ("concatenated", "summed")


class FactoredEmbedding(Embedding):
    """A vector for each token: those of its word and of its factors side by side, or their sum.

    Paper: Sennrich and Haddow 2016, arXiv 1606.02892, equation 2: side by side. Deviation: the sum.

    Args:
        sizes: number of ids of the word and of each factor.
        widths: of the vector of each of them; all equal where they are summed.
        padding_id: the id whose vectors are zero at the start and get no gradient from being looked up.
        dropout: probability of zeroing an entry.
        combine: "concatenated" or "summed".

    Attributes:
        vocabulary_size: number of ids of the word.
        embedding_size: width of a token's vector.
    """

    def __init__(
        self, *, sizes: Sequence[int], widths: Sequence[int], padding_id: int, dropout: float, combine: str
    ) -> None:
        super().__init__()
        require_dropout("embedding.dropout", dropout)
        require_choice("embedding.combine", combine, WAYS)
        self.combine = combine
        self.vocabulary_size = sizes[0]
        self.embedding_size = sum(widths) if combine == "concatenated" else widths[0]
        self.tables = nn.ModuleList(
            nn.Embedding(size, width, padding_idx=padding_id) for size, width in zip(sizes, widths, strict=True)
        )
        self.dropout = nn.Dropout(dropout)

    @property
    def weight(self) -> Tensor:
        """The words' table (vocab, its width)."""
        return self.tables[0].weight  # type: ignore[return-value]

    def forward(self, ids: Tensor) -> Tensor:
        """Look ids (..., 1 + factors) up: (..., embedding_size)."""
        vectors = [table(of) for table, of in zip(self.tables, ids.unbind(-1), strict=True)]
        return self.dropout(torch.cat(vectors, -1) if self.combine == "concatenated" else torch.stack(vectors).sum(0))


def build(
    *,
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    shared_vocabulary: bool,
    padding_id: int,
    embedding_size: int,
    factor_sizes: Sequence[int] = (),
    factor_embedding_size: Any = 16,
    dropout: float = 0.0,
    combine: str = "concatenated",
) -> tuple[FactoredEmbedding, TokenEmbedding]:
    """Build an embedding with factors for the source and one without for the target.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        shared_vocabulary: whether both sides have one vocabulary; makes no difference here.
        padding_id: the id of padding, the same for factors.
        embedding_size: width of a word's vector, on both sides.
        factor_sizes: number of ids of each factor.
        factor_embedding_size: width of a factor's vector, or a list of those of each; unused where they are summed.
        dropout: probability of zeroing an entry.
        combine: "concatenated" or "summed".

    Returns:
        The source's embedding and the target's.

    Raises:
        RequestError: there are no factors, or not a width for each.
    """
    if not factor_sizes:
        raise RequestError(
            "embedding=factored reads factors of source tokens, but there are none; take a tokenizer that gives some: "
            "tokenizer@source_tokenizer=factored_bpe, with data.vocabulary.shared=false"
        )
    require_positive("embedding.embedding_size", embedding_size)
    widths = factor_embedding_size
    if not isinstance(widths, list | tuple):
        widths = [widths] * len(factor_sizes)
    for width in widths:
        require_positive("embedding.factor_embedding_size", width)
    if len(widths) != len(factor_sizes):
        raise RequestError(
            f"embedding.factor_embedding_size has {len(widths)} widths, expected {len(factor_sizes)}, one for each "
            "factor"
        )
    if combine == "summed":
        widths = [embedding_size] * len(factor_sizes)
    source = FactoredEmbedding(
        sizes=[source_vocabulary_size, *factor_sizes],
        widths=[embedding_size, *widths],
        padding_id=padding_id,
        dropout=dropout,
        combine=combine,
    )
    target = TokenEmbedding(
        vocabulary_size=target_vocabulary_size, embedding_size=embedding_size, padding_id=padding_id, dropout=dropout
    )
    return source, target
