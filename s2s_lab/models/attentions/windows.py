"""Windows of source positions around a centre."""

from typing import NamedTuple

import torch
from torch import Tensor

from s2s_lab.models.attentions.base import Attention, to_compute_type
from s2s_lab.models.encoders.base import EncoderOutput


class WindowedMemory(NamedTuple):
    """What an attention with a window keeps of a batch of sources.

    Attributes:
        keys: (batch, source_len, key_size).
        memory: (batch, source_len, memory_size).
        mask: (batch, source_len) bool, True where real.
        lengths: (batch, 1), number of real positions, in float32 at least.
    """

    keys: Tensor
    memory: Tensor
    mask: Tensor
    lengths: Tensor


def prepare_windowed(attention: Attention, encoded: EncoderOutput) -> WindowedMemory:
    """Do once for each source what no query changes; see Attention."""
    memory = to_compute_type(encoded.memory)
    lengths = encoded.memory_mask.sum(1, keepdim=True, dtype=torch.promote_types(memory.dtype, torch.float32))
    return WindowedMemory(attention.keys(memory), memory, encoded.memory_mask, lengths)


def offsets_from(centers: Tensor, source_len: int) -> Tensor:
    """Give the distance, with its sign, of every source position, counted from 1, from centres.

    Args:
        centers: (batch, queries), in positions.
        source_len: number of positions.

    Returns:
        (batch, queries, source_len).
    """
    positions = torch.arange(1, source_len + 1, dtype=centers.dtype, device=centers.device)
    return positions - centers.unsqueeze(2)
