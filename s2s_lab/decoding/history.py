"""What a search writes down at every step, put together when it ends although sentences left on the way."""

from __future__ import annotations

import torch
from torch import Tensor


class History:
    """Keeps the tensors of every step as they are and copies none of them before the end.

    Between two departures the batch is the same, so each such stretch is stacked as it is; the stretches are
    then laid at the places of their sentences.

    Args:
        batch: sentences at the start.
        device: where the tensors live.
    """

    def __init__(self, batch: int, device: torch.device) -> None:
        self._batch = batch
        self._sentences = [torch.arange(batch, device=device)]
        self._stretches: list[list[tuple[Tensor, ...]]] = [[]]

    def record(self, *tensors: Tensor) -> None:
        """Writes down one step.

        Args:
            *tensors: each (sentences in the batch, ...), the same number and trailing shapes at every step.
        """
        self._stretches[-1].append(tensors)

    def keep(self, kept: Tensor) -> None:
        """Lets sentences leave after the step recorded last.

        Args:
            kept: (remaining,) int64, positions in the present batch of the sentences that stay.
        """
        self._sentences.append(self._sentences[-1].index_select(0, kept))
        self._stretches.append([])

    def stack(self) -> list[Tensor]:
        """Puts the steps together.

        Returns:
            For each recorded tensor one (steps, batch, ...), zero where a sentence had left.
        """
        num_steps = sum(map(len, self._stretches))
        stacked = []
        for part in range(len(self._stretches[0][0])):
            start = 0
            whole: Tensor | None = None
            for sentences, stretch in zip(self._sentences, self._stretches, strict=True):
                if not stretch:
                    continue
                piece = torch.stack([step[part] for step in stretch])
                if len(stretch) == num_steps:
                    whole = piece
                    break
                if whole is None:
                    whole = piece.new_zeros((num_steps, self._batch, *piece.shape[2:]))
                whole[start : start + len(stretch)].index_copy_(1, sentences, piece)
                start += len(stretch)
            assert whole is not None
            stacked.append(whole)
        return stacked
