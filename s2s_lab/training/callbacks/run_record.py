"""Keeps run.json true while a training runs: progress, best value, throughput, memory."""

import contextlib
import math
import resource
import time
from typing import Any

import lightning.pytorch as pl
import torch

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.checkpoint_io import BEST
from s2s_lab.training.convergence import under_trained
from s2s_lab.training.epoch_loop import StepwiseEpochLoop
from s2s_lab.training.module import Seq2SeqModule


class RunRecord(pl.Callback):
    """Writes the facts of a training into its run folder at every validation and at its end.

    Args:
        folder: the run folder, started.
    """

    def __init__(self, *, folder: RunFolder) -> None:
        self.folder = folder
        self.history: list[tuple[int, float]] = []
        self.began = self.before = 0.0
        self.training = False  # from where it begins or goes on
        self.lost = 0  # validations before which the best checkpoint was lost

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock, and records how far the training will go."""
        assert isinstance(pl_module, Seq2SeqModule)
        self.began = time.perf_counter() - self.before
        if trainer.is_global_zero:
            self.folder.update({"total_steps": pl_module.total_steps})

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Knows that the counters are those of this run, a checkpoint's where it goes on from one."""
        self.training = True
        if not (self.folder.checkpoints / BEST).is_file():
            self.lost = len(self.history)

    def state_dict(self) -> dict[str, Any]:
        """The validations, how many of them are of a best checkpoint that was lost, and the seconds since the start."""
        return {"history": list(self.history), "lost": self.lost, "seconds": time.perf_counter() - self.began}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.history = [(step, value) for step, value in state_dict["history"]]
        self.lost = state_dict.get("lost", 0)
        self.before = state_dict["seconds"]
        self.began = time.perf_counter() - self.before

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Records the validation."""
        assert isinstance(pl_module, Seq2SeqModule)
        self.history.append((trainer.global_step, float(trainer.callback_metrics[pl_module.monitor])))
        self._write(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Records the end."""
        assert isinstance(pl_module, Seq2SeqModule)
        self._write(trainer, pl_module)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Records how far it came; a disk that cannot be written to does not hide what went wrong before."""
        assert isinstance(pl_module, Seq2SeqModule)
        if self.training or trainer.ckpt_path is None:  # else the counters are not yet those of the run
            with contextlib.suppress(OSError, RequestError):
                self._write(trainer, pl_module)

    def _write(self, trainer: pl.Trainer, module: Seq2SeqModule) -> None:
        if not trainer.is_global_zero:
            return
        sign = 1.0 if module.higher_is_better else -1.0
        finite = [item for item in self.history[self.lost :] if math.isfinite(item[1])]
        best = max(finite, key=lambda item: (sign * item[1], item[0]), default=None)  # of equal ones the latest
        stopped_by = _stopped_by(trainer, module.total_steps)
        stopped_early = stopped_by == "patience"
        verdict = under_trained(self.history, higher_is_better=module.higher_is_better, stopped_early=stopped_early)
        facts = {
            "seconds": round(time.perf_counter() - self.began, 3),
            "training_seconds": round(module.throughput.seconds, 3),
            "steps": trainer.global_step,
            "epochs": round(_epochs(trainer), 3),
            "skipped_batches": module.bad_batches.skipped,
            "tokens": module.throughput.tokens,
            "tokens_per_second": round(module.throughput.mean_rate(), 1),
            "peak_memory_mb": round(_peak_memory_mb(), 1),
            "under_trained": verdict._asdict(),
            "stopped_by": stopped_by,
        }
        name = module.monitor
        if self.history:
            facts["validations"] = {
                "monitor": name,
                "higher_is_better": module.higher_is_better,
                "history": [list(item) for item in self.history],
            }
        if best is not None:
            facts["best"] = {"metric": name, "value": best[1], "step": best[0], "checkpoint": f"checkpoints/{BEST}"}
        self.folder.update(facts)


def _stopped_by(trainer: pl.Trainer, total_steps: int) -> str | None:
    """The setting that has ended the training; None while it goes on or when it broke off."""
    if not trainer.should_stop:
        return None
    if trainer.global_step >= total_steps:
        return "max_steps"
    loop = trainer.fit_loop.epoch_loop
    assert isinstance(loop, StepwiseEpochLoop)
    return "max_minutes" if loop.out_of_time and trainer.global_step >= loop.total_steps else "patience"


def _epochs(trainer: pl.Trainer) -> float:
    batches = trainer.num_training_batches
    if not isinstance(batches, int) or not batches:
        return 0.0
    return trainer.global_step / -(-batches // trainer.accumulate_grad_batches)  # an epoch's last update may be smaller


def _peak_memory_mb() -> float:
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return max(resident, torch.cuda.max_memory_allocated() / 2**20) if torch.cuda.is_available() else resident
