"""Ends a training between two steps, on all ranks between the same two; leaves at once when ranks have lost each other.

Ranks that compute together wait for each other in common operations. Whatever makes one of them leave (an interrupt, an
exception) must not let it enter another operation than the rest is in: all would wait for ever. So an interrupt is only
noted when it comes, and acted upon where all ranks have agreed on it; a rank that fails alone leaves without saving.
"""

import re
import signal
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch
from torch import distributed

from s2s_lab.faults import RankLostError
from s2s_lab.training.callbacks.time_limit import TimeLimit
from s2s_lab.training.epoch_loop import StepwiseEpochLoop

LOST = re.compile(
    r"Connection (closed|reset|refused)|Timed out waiting|Broken pipe|Application timeout|NCCL (communicator|error)"
    r"|Socket Timeout|Failed to recv",
    re.IGNORECASE,
)


class AgreedStop(pl.Callback):
    """Turns SIGINT and SIGTERM into KeyboardInterrupt at the start of a step or the end of a batch of a validation.

    When a rank's time is over, the next step at which all can agree on an end is the training's last one.

    It stands after all callbacks but those that save checkpoints.

    Args:
        every: optimizer steps between two questions whether a rank was interrupted.
        limit: the training's clock, or None.
    """

    def __init__(self, *, every: int = 1, limit: TimeLimit | None = None) -> None:
        self.every, self.limit = every, limit
        self.asked = self.agreed = False
        self.steps = 0
        self.group: Any = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the signals over; Lightning gives them back at the end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)
        self.steps = trainer.global_step
        if trainer.world_size > 1:
            # Lightning's own agreement on SIGTERM: an operation before every batch, and another in a signal's handler.
            trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None
            self.group = distributed.new_group(backend="gloo")
        self._end_in_time(trainer, trainer.global_step)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Ends the training if a rank was interrupted; the step before is logged and validated by now.

        Raises:
            KeyboardInterrupt: on every rank.
        """
        stepped, self.steps = trainer.global_step != self.steps, trainer.global_step
        if stepped and trainer.global_step % self.every == 0:
            self._agree()
            self._end_in_time(trainer, trainer.global_step + self.every)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Ends the training if a rank was interrupted; see on_train_batch_start."""
        self._agree()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leaves before anything is saved, unless all ranks have agreed to stop.

        Raises:
            RankLostError: if the connection to another rank broke.
            BaseException: the exception itself.
        """
        if trainer.world_size == 1 or self.agreed:
            return
        for logger in trainer.loggers:
            logger.finalize("failed")
        if isinstance(exception, distributed.DistError | RuntimeError) and LOST.search(str(exception)):
            raise RankLostError(f"rank {trainer.global_rank} has lost the others: {exception}") from exception
        raise exception

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def _agree(self) -> None:
        if self._any(self.asked):  # asked stays as it is: a signal may have come while the ranks were meeting
            self.agreed = True
            raise KeyboardInterrupt

    def _end_in_time(self, trainer: pl.Trainer, step: int) -> None:
        """Makes a step the last one if a rank's time is over."""
        loop = trainer.fit_loop.epoch_loop
        assert isinstance(loop, StepwiseEpochLoop)
        if self.limit is not None and not loop.out_of_time and self._any(self.limit.is_over):
            loop.end_at(max(step, 1))

    def _any(self, own: bool) -> bool:
        """Whether it is so on any rank."""
        if self.group is None:
            return own
        shared = torch.tensor(float(own))
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX, group=self.group)
        return bool(shared)
