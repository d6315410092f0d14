"""The data module: bucketed training batches, the validation split, and a sample of it to decode."""

from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader

from s2s_lab.data.bucketing import BucketedBatches
from s2s_lab.data.collate import Collator
from s2s_lab.data.prepared import PreparedData

VALIDATION_TOKENS = 1024
"""Padded tokens that a validation batch may hold, however small those of training are."""


class Seq2SeqDataModule(pl.LightningDataModule):
    """Batches of prepared data for any number of ranks.

    Args:
        prepared: encoded splits with their text sides.
        max_sentences: sentences in a global training batch, or None.
        max_tokens: padded tokens in a global training batch, or None.
        seed: order of the training batches, with the epoch.
        sample: indices of the validation sentences that are decoded.
        num_workers: loader processes; 0 loads in the training process.
        accept_changed_data: whether a training may go on in data other than those it began with.
        accumulate: global training batches to an optimizer step.
        replacement: whether an epoch's training pairs are drawn with replacement.
    """

    def __init__(
        self,
        *,
        prepared: PreparedData,
        max_sentences: int | None,
        max_tokens: int | None,
        seed: int,
        sample: np.ndarray,
        num_workers: int,
        accept_changed_data: bool = False,
        accumulate: int = 1,
        replacement: bool = False,
    ) -> None:
        super().__init__()
        self.prepared = prepared
        self.max_sentences, self.max_tokens = max_sentences, max_tokens
        self.seed, self.sample, self.num_workers, self.accumulate = seed, sample, num_workers, accumulate
        self.accept_changed_data, self.replacement = accept_changed_data, replacement
        self._batches: BucketedBatches | None = None
        self._continue_at: dict[str, Any] | None = None

    @property
    def training_batches(self) -> BucketedBatches:
        """The sampler of global training batches, of which a rank takes its rows; before the training, rank 0 of 1."""
        if self._batches is None or self._rank_and_ranks() != (self._batches.rank, self._batches.world_size):
            train = self.prepared.splits["train"]
            rank, world_size = self._rank_and_ranks()
            self._batches = BucketedBatches(
                source_lengths=train.source_lengths,
                target_lengths=train.target_lengths,
                max_sentences=self.max_sentences,
                max_tokens=self.max_tokens,
                shuffle=True,
                seed=self.seed,
                rank=rank,
                world_size=world_size,
                accumulate=self.accumulate,
                replacement=self.replacement,
            )
        return self._batches

    def continue_at(self, state: dict[str, Any]) -> None:
        """Begins the next training there.

        Args:
            state: of `BucketedBatches.state_dict`.
        """
        self._continue_at = state

    def train_dataloader(self) -> DataLoader[Any]:
        """Global batches, this rank's rows of each.

        Raises:
            RequestError: if the position to continue at is of other data.
        """
        if self._continue_at is not None:
            state = self._continue_at
            if self.accept_changed_data:
                state = {**state, "digest": self.training_batches.digest()}
            self.training_batches.load_state_dict(state)
            self._continue_at = None
        return self._loader("train", self.training_batches)

    def _rank_and_ranks(self) -> tuple[int, int]:
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """The whole validation split, then the sample."""
        return [
            self._loader("validation", self._in_order(None)),
            self._loader("validation", self._in_order(self.sample)),
        ]

    def _in_order(self, rows: np.ndarray | None) -> BucketedBatches:
        """Batches with no more padded tokens than training's largest at first, but for a sentence with more alone.

        They are the same at every validation, also of a resumed training.
        """
        assert self.trainer is not None
        validation, train = self.prepared.splits["validation"], self.prepared.splits["train"]
        largest = self.training_batches.largest(epoch=0).indices
        longest = max(int(lengths[largest].max()) for lengths in (train.source_lengths, train.target_lengths))
        alone = max(int(lengths.max()) for lengths in (validation.source_lengths, validation.target_lengths))
        return BucketedBatches(
            source_lengths=validation.source_lengths,
            target_lengths=validation.target_lengths,
            max_sentences=256,
            max_tokens=max(len(largest) * longest, alone, VALIDATION_TOKENS),
            shuffle=False,
            seed=0,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
            subset=rows,
        )

    def _loader(self, split: str, batches: BucketedBatches) -> DataLoader[Any]:
        return DataLoader(
            Collator(self.prepared.splits[split]),
            sampler=batches,
            batch_size=None,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            generator=torch.Generator(),  # a loader draws a seed for its workers: not from the training's generator
        )
