"""The contract of an encoder: embedded source in, memory and final state out."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class EncoderOutput(NamedTuple):
    """What an encoder knows of a batch of sources.

    Attributes:
        memory: (batch, source_len, memory_size), exactly 0 on padding.
        memory_mask: (batch, source_len) bool, True where real.
        final_state: for each layer, parts (batch, size), directions concatenated.
        summary: (batch, summary_size), each source in one vector.
    """

    memory: Tensor
    memory_mask: Tensor
    final_state: tuple[tuple[Tensor, ...], ...]
    summary: Tensor


class Encoder(nn.Module, ABC):
    """Anything that reads a source.

    Attributes:
        memory_size: width of a memory entry.
        summary_size: width of the summary.
        state_sizes: for each layer of the final state, the width of each part.
    """

    memory_size: int
    summary_size: int
    state_sizes: tuple[tuple[int, ...], ...]

    @abstractmethod
    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources.

        Args:
            embedded: (batch, source_len, input_size).
            lengths: (batch,), real positions of each source, at least 1.
        """
