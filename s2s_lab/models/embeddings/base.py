"""The contract of an embedding: ids to vectors."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Embedding(nn.Module, ABC):
    """Anything that turns ids into vectors.

    Attributes:
        positional: whether a network that embeds step by step gives each token's position, a second argument of
            `forward`.
        vocabulary_size: number of ids.
        embedding_size: width of a vector.
    """

    positional = False
    vocabulary_size: int
    embedding_size: int

    @property
    @abstractmethod
    def weight(self) -> Tensor:
        """The tokens' table (vocab, embedding_size)."""
