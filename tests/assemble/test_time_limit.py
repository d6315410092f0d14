"""trainer.max_minutes ends a training as its last step would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.assemble.experiment import train
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.callbacks import time_limit
from s2s_lab.training.module import Seq2SeqModule
from tests.assemble.stopped_runs import PLAIN, STEPS, assert_same_run, rows, stopped
from tests.assemble.test_experiment import run


class SteppedClock:
    """Time that goes on by a second with each optimizer step and stands still otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, inner = 0.0, Seq2SeqModule.training_step

        def timed(module: Seq2SeqModule, *rest: Any) -> Any:
            self.now += 1.0
            return inner(module, *rest)

        patch.setattr(Seq2SeqModule, "training_step", timed)
        patch.setattr(time_limit, "time", self)

    def perf_counter(self) -> float:
        return self.now


def test_a_training_whose_time_is_over_ends_as_at_its_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*PLAIN, "trainer.max_steps=1000", "trainer.validate_every=1000", "trainer.max_minutes=0.1")
    with monkeypatch.context() as patch:
        SteppedClock(patch)
        made = run(tmp_path / "whole", *words)
    facts = made.read()
    assert (facts["status"], facts["stopped_by"], facts["steps"]) == ("finished", "max_minutes", 7)
    assert facts["best"]["step"] == 7 and (made.model / "model.safetensors").is_file()
    assert facts["under_trained"]["flag"]
    with monkeypatch.context() as patch:  # the 3 seconds before an interrupt count
        SteppedClock(patch)
        again = stopped(tmp_path / "stopped", words, how="interrupt", step=3, monkeypatch=monkeypatch)
        assert again.read().get("stopped_by") is None
        train(again, resume=True)
    assert_same_run(made, again)
    assert again.read()["stopped_by"] == "max_minutes"


def test_a_training_that_ends_in_time_does_not_see_its_limit(
    whole: Callable[..., RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SteppedClock(monkeypatch)
    made = run(tmp_path, *PLAIN, f"trainer.max_minutes={STEPS / 60}")
    assert rows(whole("plain")) == rows(made)
    assert made.read()["stopped_by"] == "max_steps"
    assert whole("early stopping").read()["stopped_by"] == "patience"
