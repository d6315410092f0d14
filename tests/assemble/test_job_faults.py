"""A job whose disk is full, whose folder vanishes or whose clock jumps: one line, exit 1, what is written is kept."""

import contextlib
import itertools
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from s2s_lab import job
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.module import Seq2SeqModule
from tests.assemble.test_experiment import curve, frozen, run


@pytest.fixture
def ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[RunFolder], tuple]]:
    """Runs `python -m s2s_lab.job` in this process; gives its exit code and the lines on standard error."""
    before = signal.getsignal(signal.SIGTERM)

    def end(made: RunFolder) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["job", str(made.configuration_file)])
        with pytest.raises(SystemExit) as caught:
            job.main()
        return caught.value.code, capsys.readouterr().err.splitlines()

    yield end
    signal.signal(signal.SIGTERM, before)
    for handler in logging.root.handlers[:]:  # a log on a full disk cannot even be closed
        logging.root.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_training_is_an_interrupt_too(
    number: int, tmp_path: Path, ended: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, ranks = frozen(tmp_path), job._ranks

    def interrupted(folder: RunFolder) -> int:
        signal.pthread_kill(threading.main_thread().ident, number)  # not the process: a test's may have other threads
        return ranks(folder)

    monkeypatch.setattr(job, "_ranks", interrupted)
    code, lines = ended(made)
    assert code == 130 and len(lines) == 1 and "nothing was trained yet" in lines[0], lines
    assert made.read()["status"] == "interrupted"


def test_a_signal_that_another_thread_takes_is_one_too(
    tmp_path: Path, ended: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = frozen(tmp_path)

    def interrupted(folder: RunFolder) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "_ranks", interrupted)
    code, lines = ended(made)
    assert code == 130 and len(lines) == 1 and "interrupted before it had begun" in lines[0], lines


def whole(checkpoint: Path) -> bool:
    return torch.load(checkpoint, weights_only=True)["global_step"] > 0


@pytest.mark.parametrize("name", ["metrics.csv", "log.txt", "model/config.yaml"])
def test_a_full_disk_is_named_with_the_file(name: str, tmp_path: Path, ended: Callable) -> None:
    """/dev/full fails as a full disk does."""
    made = frozen(tmp_path)
    (made.path / name).parent.mkdir(exist_ok=True)
    (made.path / name).unlink(missing_ok=True)
    (made.path / name).symlink_to("/dev/full")
    code, lines = ended(made)
    assert code == 1
    assert len(lines) == 1 and "the disk is full" in lines[0] and str(made.path) in lines[0], lines
    if name != "model/config.yaml":
        assert name in lines[0]
    else:
        assert whole(made.checkpoints / "best.ckpt") and whole(made.checkpoints / "last.ckpt")
    assert made.read()["status"] == "failed"
    assert made.error_file.read_text().count("\n") == 1


def test_a_disk_that_takes_no_record_any_more_still_ends_in_one_line(
    tmp_path: Path, ended: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After four checkpoints nothing can be renamed into place: records and checkpoints alike."""
    replace, written = os.replace, []

    def full(source: str, target: str) -> None:
        if len(written) == 4:
            raise OSError(28, "No space left on device", str(source))
        replace(source, target)
        written.extend([target] if str(target).endswith(".ckpt") else [])

    made = frozen(tmp_path, "trainer.validate_every=1", "trainer.max_steps=30")
    monkeypatch.setattr(os, "replace", full)
    code, lines = ended(made)
    assert code == 1
    assert len(lines) == 1 and "the disk is full" in lines[0]
    kept = list(made.checkpoints.glob("*.ckpt"))
    assert kept and all(whole(path) for path in kept)
    assert not list(made.path.glob("**/.*.part"))


def test_a_folder_that_vanishes_ends_the_run(tmp_path: Path, ended: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    made = frozen(tmp_path, "trainer.max_steps=100000", "trainer.validate_every=50000")
    step = Seq2SeqModule.training_step

    def vanishing(self: Seq2SeqModule, batch, index):
        if self.global_step == 2:
            shutil.rmtree(made.path)
        return step(self, batch, index)

    monkeypatch.setattr(Seq2SeqModule, "training_step", vanishing)
    code, lines = ended(made)
    assert code == 1
    assert len(lines) == 1 and "is gone" in lines[0] and str(made.path) in lines[0]


def test_a_clock_that_jumps_back_changes_no_duration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, jumps = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() - 3600.0 * next(jumps))
    made = run(tmp_path, "callbacks=default")
    facts = made.read()
    assert facts["seconds"] >= facts["training_seconds"] > 0
    assert facts["tokens_per_second"] > 0
    assert facts["ended"] >= facts["started"]
    seconds = curve(made, "seconds")
    assert seconds == sorted(seconds) and min(seconds) >= 0


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_small_file_system_that_fills_up(tmp_path: Path) -> None:
    """End to end: training on 8 MB until nothing fits; the checkpoints that are there can be read."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    try:
        (place / "ballast").write_bytes(b"x" * (1 << 20))
        words = ["data=reverse", "data.size=200", "logger=csv", "encoder.hidden_size=128", "decoder.hidden_size=128"]
        words += ["trainer.max_steps=40", "trainer.validate_every=2", "trainer.validation_sentences=4", "model=gru"]
        words += ["callbacks=quiet", f"paths.outputs={place}"]
        done = subprocess.run(
            [sys.executable, "-m", "s2s_lab.train", *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        lines = [line for line in done.stderr.splitlines() if line]
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert len(lines) == 1 and "the disk is full" in lines[0] and str(place) in lines[0], done.stderr
        for path in place.glob("**/*.ckpt"):
            assert whole(path)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("finished", [True, False])
def test_a_job_that_was_trained_before_is_not_begun_anew(finished: bool, tmp_path: Path, ended: Callable) -> None:
    made = run(tmp_path)
    if not finished:
        made.update({"status": "interrupted"})
    (made.path / ".lock").touch()
    before = {path: path.read_bytes() for path in made.path.rglob("*") if path.is_file()}
    code, lines = ended(made)
    assert code == 2 and lines == [f"s2s-train: {made.path} holds a training already: --resume goes on with it"]
    assert {path: path.read_bytes() for path in made.path.rglob("*") if path.is_file()} == before
