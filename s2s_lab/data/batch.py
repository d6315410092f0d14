"""A batch of sentence pairs as tensors."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from s2s_lab.data.vocabulary import BOS


@dataclass  # not frozen: Lightning converts the numbers of a batch field by field
class Batch:
    """Padded ids of sentences, sources and targets ending with eos.

    Attributes:
        sources: of each source, (ids (rows, source_len) int64, lengths (rows,) int64), eos included; ids (rows,
            source_len, 1 + factors) where tokens carry factors.
        targets: (rows, target_len) int64, eos included; (rows, 0) where there are none.
        target_lengths: (rows,) int64, eos included.
        index: (rows,) int64, position of each sentence in its split.
        global_rows: sentences of the global batch, over all ranks.
        global_tokens: target tokens of the global batch, eos included.
        global_source_tokens: source tokens of the global batch, eos included; these rows' own unless given.
        step_tokens: target tokens of all global batches of the optimizer step; the global batch's unless given.
        placeholder: whether its one row stands for no sentence (index -1, an empty source, no target token), so that a
            rank without any sentence takes part in the computation, with gradients of 0.
    """

    sources: tuple[tuple[Tensor, Tensor], ...]
    targets: Tensor
    target_lengths: Tensor
    index: Tensor
    global_rows: int
    global_tokens: int
    global_source_tokens: int = -1
    step_tokens: int = -1
    placeholder: bool = False

    def __post_init__(self) -> None:
        """Fills in what was not given."""
        if self.global_source_tokens < 0:
            self.global_source_tokens = int(self.source_lengths.sum())
        if self.step_tokens < 0:
            self.step_tokens = self.global_tokens

    @property
    def source_lengths(self) -> Tensor:
        """(rows,) int64, eos included, of all sources of a row together."""
        return sum((lengths for _, lengths in self.sources[1:]), self.sources[0][1])

    def source(self, row: int) -> list[Any]:
        """Ids of a row's sources, eos included, one source after the other; lists of ids where tokens carry factors."""
        return [id_ for values, lengths in self.sources for id_ in values[row, : int(lengths[row])].tolist()]

    @property
    def inputs(self) -> Tensor:
        """Decoder inputs, (rows, target_len): bos, then the targets without their last position."""
        start = self.targets.new_full((len(self.targets), min(1, self.targets.shape[1])), BOS)
        return torch.cat([start, self.targets[:, :-1]], dim=1)

    @property
    def mask(self) -> Tensor:
        """(rows, target_len) bool, True where a target token is real."""
        positions = torch.arange(self.targets.shape[1], device=self.targets.device)
        return positions < self.target_lengths[:, None]

    def to(self, device: Any, non_blocking: bool = False) -> Self:
        """The same batch on a device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory."""
        return self._map(Tensor.pin_memory)

    def _map(self, change: Any) -> Self:
        return type(self)(
            sources=tuple((change(values), change(lengths)) for values, lengths in self.sources),
            targets=change(self.targets),
            target_lengths=change(self.target_lengths),
            index=change(self.index),
            global_rows=self.global_rows,
            global_tokens=self.global_tokens,
            global_source_tokens=self.global_source_tokens,
            step_tokens=self.step_tokens,
            placeholder=self.placeholder,
        )
