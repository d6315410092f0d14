"""Batches whose loss or gradient is not finite: a few are left out where that is allowed, else the training stops."""

import logging
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch

from s2s_lab.data.batch import Batch
from s2s_lab.faults import RunError
from s2s_lab.training.batch_facts import sentences_of, shape_of

log = logging.getLogger(__name__)


class _Seen(NamedTuple):
    """A batch of the update that is being made."""

    position: int
    batch: Batch
    loss: torch.Tensor


class BadBatches:
    """Leaves out updates whose gradient is not finite, as if their batches had not been.

    Weights, the optimizer's state, the learning rate's schedule and the count of optimizer steps stay as they are; with
    accumulation the whole update is left out. All ranks decide alike, for they hold the same gradient;
    strategies whose ranks do not are refused.

    Args:
        allowed: updates that may be left out in the whole training.

    Attributes:
        skipped: updates left out so far.
        skipping: whether the update of the batch at hand is left out.
    """

    def __init__(self, *, allowed: int) -> None:
        self.allowed = allowed
        self.skipped = 0
        self.skipping = False
        self._seen: list[_Seen] = []

    def see(self, batch: Batch, loss: torch.Tensor, *, position: int) -> None:
        """Keeps a batch until its update is judged; nothing is computed or copied.

        Args:
            batch: about to be differentiated.
            loss: its scalar loss.
            position: in the epoch, from 0.
        """
        self.skipping = False
        self._seen.append(_Seen(position, batch, loss.detach()))

    def judge(self, norm: float, parameters: Iterable[torch.nn.Parameter], *, step: int) -> None:
        """Takes the gradients away if their norm is not finite, so that the optimizer changes nothing.

        Args:
            norm: of the whole gradient.
            parameters: all of the model.
            step: the optimizer step that is being made, from 1.

        Raises:
            RunError: if the norm is not finite and no more updates may be left out, or the weights themselves are not
                finite; the checkpoints written before stay.
        """
        seen, self._seen = self._seen, []
        if math.isfinite(norm):
            return
        place = f"optimizer step {step}{_described(seen)}"
        kept = list(parameters)
        if not all_finite(kept):
            raise RunError(
                f"the weights are not finite at {place}; the last good checkpoint is kept (a lower optimizer.lr or "
                "trainer.gradient_clip may help)"
            )
        if self.skipped >= self.allowed:
            allowed = f"{self.allowed} such batches were left out before" if self.allowed else "none may be left out"
            raise RunError(
                f"the gradient is not finite at {place}; the last good checkpoint is kept ({allowed}: "
                f"trainer.skip_bad_batches={self.allowed})"
            )
        self.skipped += 1
        self.skipping = True
        for parameter in kept:
            parameter.grad = None
        log.warning("the gradient is not finite at %s; left out, %d of %d", place, self.skipped, self.allowed)

    def undo_count(self, trainer: pl.Trainer) -> None:
        """Lets Lightning count the update that was left out neither as an optimizer step nor as a logged one.

        To be called inside the optimizer step, before Lightning counts it.
        """
        loop = trainer.fit_loop.epoch_loop
        progress = loop.automatic_optimization.optim_progress.optimizer.step
        for count in (progress.total, progress.current):
            count.ready -= 1
            count.completed -= 1
        loop._batches_that_stepped -= 1
        loop._results.clear()  # a loss that is not finite belongs to no step

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what a checkpoint kept."""
        self.skipped = state["skipped"]


def all_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether every number of floating-point tensors is finite."""
    return all(bool(torch.isfinite(value).all()) for value in tensors if value.is_floating_point())


def _described(seen: list[_Seen]) -> str:
    """The batches to blame: those whose loss is not finite, else all of the update, of which the first is named."""
    guilty = [item for item in seen if not math.isfinite(float(item.loss))]
    chosen = guilty or seen
    if not chosen:
        return ""
    first, more = chosen[0], f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
    fault = "loss" if guilty else "gradient alone"
    return (
        f" (batch {first.position} of its epoch{more}: {fault}; {shape_of(first.batch)}; training sentences "
        f"{sentences_of(first.batch)})"
    )
