"""The contract of an encoder: embedded source in, memory and final state out."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class EncoderOutput(NamedTuple):
    """What an encoder knows of a batch of sources.

    Attributes:
        memory: (batch, source_len, memory_size), exactly 0 on padding; shorter by the encoder's `reduction`.
        memory_mask: (batch, source_len) bool, True where real; as long as the memory.
        final_state: for each layer, parts (batch, size), directions concatenated.
        summary: (batch, summary_size), each source in one vector.
        source_mask: (batch, source_len) bool, True where real, where the memory is shorter than the source; else None.
        parts: of each source, where there are several, what its encoder gave; then the memory holds their real entries
            one source after the other, and padding at the end.
        places: (batch, source_len) int64, where each memory entry lies in the parts' memories side by side; else None.
    """

    memory: Tensor
    memory_mask: Tensor
    final_state: tuple[tuple[Tensor, ...], ...]
    summary: Tensor
    source_mask: Tensor | None = None
    parts: tuple["EncoderOutput", ...] = ()
    places: Tensor | None = None


class Encoder(nn.Module, ABC):
    """Anything that reads a source.

    An encoder without a recurrent state gives the mean of its memory as the one part of one layer.

    Attributes:
        memory_size: width of a memory entry.
        summary_size: width of the summary.
        state_sizes: for each layer of the final state, the width of each part.
        reduction: source positions in one memory entry, the last one perhaps fewer.
        num_sources: sources of a sentence; one that reads several takes tuples of what `forward` says.
        reads: whether anything of a source is in what it gives.
    """

    reads = True
    reduction = 1
    num_sources = 1
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


def real_positions(lengths: Tensor, source_len: int) -> Tensor:
    """Give (batch, source_len) bool, True at the first `lengths` (batch,) positions."""
    return torch.arange(source_len, device=lengths.device) < lengths.unsqueeze(1)


def without_state(memory: Tensor, mask: Tensor) -> EncoderOutput:
    """Give the output of an encoder that has no recurrent state: its memory's mean is final state and summary.

    Args:
        memory: (batch, source_len, memory_size), with anything on padding.
        mask: (batch, source_len) bool, True where real; at least one of each source.
    """
    memory = memory.masked_fill(~mask.unsqueeze(2), 0.0)
    mean = memory.sum(1) / mask.sum(1, keepdim=True)
    return EncoderOutput(memory, mask, ((mean,),), mean)
