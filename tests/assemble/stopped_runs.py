"""Trainings that are stopped in the middle, and what makes two of them the same run."""

import csv
import gc
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.records.run_folder import RunFolder, find_runs
from s2s_lab.training.callbacks.last_checkpoint import LastCheckpoint
from s2s_lab.training.checkpoint_io import read_checkpoint
from s2s_lab.training.module import Seq2SeqModule
from tests.assemble.test_experiment import run

TIMES = {"seconds", "train/tokens_per_second"}
STEPS = 9
PLAIN = (f"trainer.max_steps={STEPS}", "trainer.validate_every=4", "encoder.dropout=0.3", "metrics.monitor=loss")
VARIANTS = {
    "plain": PLAIN,
    "each epoch": (*PLAIN, "trainer.validate_every=null"),
    "scheduled sampling": (*PLAIN, "teacher_forcing=half"),
    "a coin for each sentence": (*PLAIN, "teacher_forcing=half_sequences"),
    "replacement": (*PLAIN, "data.replacement=true"),
    "sampled validation": (*PLAIN, "decoding=sampling"),
    "plateau": (*PLAIN, "learning_rate=plateau", "optimizer.lr=0.1"),
    "cosine": (*PLAIN, "learning_rate=cosine"),
    "early stopping": (*PLAIN, "trainer.patience=1", "optimizer.lr=5.0", "trainer.validate_every=2"),
    "accumulation": (*PLAIN, "trainer.accumulate=3", "data.batch.max_sentences=10"),
    "padded tokens": (*PLAIN, "data.batch.max_sentences=null", "data.batch.max_tokens=200"),
    "two workers": (*PLAIN, "data.num_workers=2"),
}


class Killed(BaseException):
    """Stands for SIGKILL: nothing is written after it."""


class FaultError(Exception):
    """Stands for any fault that nobody foresaw."""


def rows(made: RunFolder) -> list[dict[str, str]]:
    with made.metrics_csv.open() as file:
        return [{name: value for name, value in row.items() if name not in TIMES} for row in csv.DictReader(file)]


def assert_equal(first: Any, second: Any) -> None:
    """The same to the bit, in tensors and containers."""
    assert type(first) is type(second)
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype and torch.equal(first, second)
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            assert_equal(first[key], second[key])
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert first == second or (isinstance(first, float) and math.isnan(first) and math.isnan(second))


def assert_same_run(first: RunFolder, second: RunFolder) -> None:
    for name in ("last.ckpt", "best.ckpt"):
        one, other = read_checkpoint(first.checkpoints / name), read_checkpoint(second.checkpoints / name)
        for checkpoint in (one, other):
            del checkpoint["continuation"]["seconds"], checkpoint["continuation"]["loggers"]
            for state in checkpoint["callbacks"].values():  # times, and the folder's own name
                for key in ("seconds", "dirpath", "best_model_path", "kth_best_model_path", "best_k_models"):
                    state.pop(key, None)
        assert_equal(one, other)
    assert rows(first) == rows(second)
    facts = [made.read() for made in (first, second)]
    for key in ("steps", "epochs", "tokens", "best", "under_trained", "status"):
        assert facts[0][key] == facts[1][key], key
    weights = [(made.model / "model.safetensors").read_bytes() for made in (first, second)]
    assert weights[0] == weights[1]


def interrupt_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Sends this process the signal of Ctrl-C in the middle of every update from `step` on."""
    inner = Seq2SeqModule.training_step

    def interrupted(self: Seq2SeqModule, *rest: Any) -> Any:
        if self.global_step >= step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(self, *rest)

    patch.setattr(Seq2SeqModule, "training_step", interrupted)


def stopped(folder: Path, words: tuple[str, ...], *, how: str, step: int, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that was stopped before its update `step`, or in the validation at `step`."""
    with monkeypatch.context() as patch:
        if how == "interrupt":
            interrupt_at(step, patch)
        else:
            hook = {"fault": "training_step", "kill": "training_step"}.get(how, "validation_step")
            inner = getattr(Seq2SeqModule, hook)

            def broken(self: Seq2SeqModule, *rest: Any) -> Any:
                if self.global_step >= step:
                    torch.rand(7)
                    raise Killed if how == "kill" else FaultError
                return inner(self, *rest)

            patch.setattr(Seq2SeqModule, hook, broken)
        if how == "kill":
            patch.setattr(LastCheckpoint, "on_exception", lambda *_: None)
        with pytest.raises((KeyboardInterrupt, Killed, FaultError)):
            run(folder, *words)
    gc.collect()  # the loaders' threads end here, not in the middle of another test
    (made,) = find_runs([folder])
    return made
