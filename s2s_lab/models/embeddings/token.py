"""The embedding of tokens by a table."""

from torch import Tensor, nn

from s2s_lab.models.checks import require_dropout, require_positive
from s2s_lab.models.embeddings.base import Embedding


class TokenEmbedding(Embedding):
    """A vector for each id, with dropout on its entries.

    Args:
        vocabulary_size: number of ids.
        embedding_size: width of a vector.
        padding_id: the id whose vector is zero at the start and gets no gradient from being looked up.
        dropout: probability of zeroing an entry.
    """

    def __init__(self, *, vocabulary_size: int, embedding_size: int, padding_id: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        require_positive("embedding.embedding_size", embedding_size)
        require_dropout("embedding.dropout", dropout)
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.table = nn.Embedding(vocabulary_size, embedding_size, padding_idx=padding_id)
        self.dropout = nn.Dropout(dropout)

    @property
    def weight(self) -> Tensor:
        """The table (vocab, embedding_size)."""
        return self.table.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Look ids (...) up: (..., embedding_size)."""
        return self.dropout(self.table(ids))
