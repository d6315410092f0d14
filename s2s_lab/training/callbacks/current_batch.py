"""Knows the batch that is at work, and makes one line of faults that need its shape to be understood."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import lightning.pytorch as pl
import torch

from s2s_lab.data.batch import Batch
from s2s_lab.faults import RunError
from s2s_lab.training.batch_facts import shape_of

ALLOCATORS = re.compile(r"can't allocate memory|not enough memory|out of memory|bad_alloc", re.IGNORECASE)
SMALLER = (
    "smaller data.batch.max_sentences or data.batch.max_tokens (with trainer.accumulate for the same update), smaller "
    "data.max_source_length or data.max_target_length, or trainer.precision=bf16-mixed need less"
)


class CurrentBatch(pl.Callback):
    """Remembers the shape of the batch that is trained or validated on, for messages.

    Args:
        num_workers: loader processes.
    """

    def __init__(self, *, num_workers: int) -> None:
        self.num_workers = num_workers
        self.shape, self.what = "", ""

    def take(self, batch: Batch, what: str) -> None:
        """Remembers a batch.

        Args:
            batch: about to be used.
            what: what it is, for the message.
        """
        self.shape, self.what = shape_of(batch), what

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Remembers a training batch."""
        self.take(batch, f"training batch {batch_idx} after optimizer step {trainer.global_step}")

    def on_validation_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Remembers a validation batch."""
        self.take(batch, f"validation batch {batch_idx} after optimizer step {trainer.global_step}")

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turns an out-of-memory and the death of a loader process into one line.

        Raises:
            RunError: in their place.
        """
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                place = f" on {self.what} ({self.shape})" if self.shape else ""
                raise RunError(f"out of memory{place}: {SMALLER} [{_first_line(error)}]") from error
            if "DataLoader worker" in str(error):
                raise RunError(
                    f"a loader process died: {_first_line(error)} data.num_workers=0 loads in the training process"
                ) from error
            raise
        except (ConnectionError, EOFError) as error:  # a batch on its way from a process that has died meanwhile
            if not self.num_workers:
                raise
            raise RunError(
                f"a loader process died: {type(error).__name__}: {_first_line(error)}; data.num_workers=0 loads in the "
                "training process"
            ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the processor or of a GPU did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return type(error) is RuntimeError and ALLOCATORS.search(str(error)) is not None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
