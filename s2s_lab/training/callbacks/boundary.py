"""The points between two optimizer steps from which a training can go on exactly."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import lightning.pytorch as pl
import torch

from s2s_lab.training.datamodule import Seq2SeqDataModule
from s2s_lab.training.epoch_loop import StepwiseEpochLoop
from s2s_lab.training.loggers.base import Continues
from s2s_lab.training.module import Seq2SeqModule
from s2s_lab.training.random_state import random_state, set_random_state


@dataclass(frozen=True)
class Point:
    """Where a training stands between two optimizer steps.

    Attributes:
        epoch: epochs done.
        batches: batches done in the present epoch.
        all_batches: batches done since the start.
        step: optimizer steps done.
        logged_step: how many steps Lightning's loggers have counted.
        validated_at: optimizer step of the last finished validation.
        due: whether the validation of this step is still to come.
        stop: whether the training is to end here.
        tokens: tokens seen.
        seconds: time spent training, in seconds.
        random: states of this rank's random generators.
    """

    epoch: int
    batches: int
    all_batches: int
    step: int
    logged_step: int
    validated_at: int
    due: bool
    stop: bool
    tokens: int
    seconds: float
    random: dict[str, Any]


class Boundary(pl.Callback):
    """Notes each point between two optimizer steps, puts it into checkpoints, and starts from it again.

    A checkpoint written anywhere until the next update begins holds the last point: position in the data, random states
    of all ranks, counters and curves are as they were there.

    To stand after all callbacks that act on a validation and before those that write checkpoints.

    Args:
        datamodule: gives the batches.
    """

    def __init__(self, *, datamodule: Seq2SeqDataModule) -> None:
        self.datamodule = datamodule
        self.point: Point | None = None
        self.validating = False
        self._restored: dict[str, Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts the random generators where they stood; what was drawn while all was set up does not count."""
        if self._restored is not None:
            ranks = self._restored["random"]
            set_random_state(ranks[trainer.global_rank % len(ranks)])
            trainer.should_stop = self._restored["stop"]
            known = {field.name: self._restored[field.name] for field in fields(Point) if field.name != "random"}
            self.point, self._restored = Point(**known, random=random_state()), None

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """A point, where no gradient is half accumulated."""
        assert isinstance(pl_module, Seq2SeqModule)
        loop = _epoch_loop(trainer)
        if loop.accumulating:
            return
        self.validating = False
        self.point = Point(
            epoch=self.datamodule.training_batches.epoch,
            batches=loop.batch_progress.current.ready,
            all_batches=loop.batch_progress.total.ready,
            step=loop.global_step,
            logged_step=loop.logged_step + (not loop.due),  # Lightning counts it after the validation, if there is one
            validated_at=loop.validated_at,
            due=loop.due,
            stop=False,
            tokens=pl_module.throughput.tokens,
            seconds=pl_module.throughput.seconds,
            random=random_state(),
        )

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Scores and schedules move from here on."""
        self.validating = True

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same point with its validation done."""
        loop = _epoch_loop(trainer)
        loop.validated_at = loop.global_step
        if loop.global_step >= loop.total_steps:
            trainer.should_stop = True
        assert self.point is not None
        self.point = replace(
            self.point,
            due=False,
            stop=trainer.should_stop,
            validated_at=loop.validated_at,
            logged_step=self.point.logged_step + 1,
            random=random_state(),
        )

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds the point, and makes Lightning's own counters those of the point."""
        assert self.point is not None
        _set_counters(checkpoint["loops"]["fit_loop"], self.point, len(self.datamodule.training_batches))
        checkpoint["continuation"] = {
            **asdict(self.point),
            "random": _from_all_ranks(trainer, self.point.random),
            "digest": self.datamodule.training_batches.digest(),
            "loggers": {
                str(logger.name): logger.state_dict() for logger in trainer.loggers if isinstance(logger, Continues)
            },
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Takes the point out again; a checkpoint of the first schema has none."""
        held = checkpoint["continuation"]
        if held is None:
            return
        assert isinstance(pl_module, Seq2SeqModule)
        self._restored = held
        _epoch_loop(trainer).validated_at = held["validated_at"]
        pl_module.throughput.restore(held["tokens"], held["seconds"])
        self.datamodule.continue_at({"epoch": held["epoch"], "position": held["batches"], "digest": held["digest"]})
        for logger in trainer.loggers:
            if isinstance(logger, Continues):
                logger.load_state_dict(held["loggers"][str(logger.name)])


def _epoch_loop(trainer: pl.Trainer) -> StepwiseEpochLoop:
    loop = trainer.fit_loop.epoch_loop
    assert isinstance(loop, StepwiseEpochLoop)
    return loop


def _from_all_ranks(trainer: pl.Trainer, own: dict[str, Any]) -> list[dict[str, Any]]:
    if trainer.world_size == 1:
        return [own]
    parts: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(parts, own)
    return parts


def _set_counters(loops: dict[str, Any], point: Point, batches_in_epoch: int) -> None:
    """Rewrites the state of Lightning's fit loop as it is between two batches.

    Lightning keeps four counters of everything it does (ready, started, processed, completed) and decides from their
    differences where to go on; a checkpoint written in the middle of a step would make it leave that step out.
    """

    def all_at(count: int) -> dict[str, int]:
        return dict.fromkeys(("ready", "started", "processed", "completed"), count)

    loops["epoch_progress"] = {
        scope: {**all_at(point.epoch), "ready": point.epoch + 1, "started": point.epoch + 1}
        for scope in ("total", "current")
    }
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] = point.logged_step
    loops["epoch_loop.batch_progress"] = {
        "total": all_at(point.all_batches),
        "current": all_at(point.batches),
        "is_last_batch": point.batches == batches_in_epoch,
    }
    updates = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]
    updates["step"]["total"] = {"ready": point.step, "completed": point.step}
    updates["zero_grad"]["total"] = {"ready": point.step, "started": point.step, "completed": point.step}
    begun = {"ready": 1, "started": 1} if point.due else {}  # a validation begun and not ended is run again
    loops["epoch_loop.val_loop.batch_progress"] = {
        "total": {**all_at(0), **begun},
        "current": all_at(0),
        "is_last_batch": False,
    }
