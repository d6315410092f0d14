"""What becomes of a training on two ranks when one of them fails, or when it is interrupted: it ends, and says why."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from s2s_lab.records.curves import read_curves
from tests.end_to_end.conftest import REPOSITORY, SMALL

FAULTY = '''
import os, signal
import torch
from s2s_lab.faults import RunError
from s2s_lab.training.objectives.cross_entropy import CrossEntropy

class Faulty(CrossEntropy):
    """Fails on one rank in its fifth step."""

    def __init__(self, *, rank: int, how: str, label_smoothing: float) -> None:
        super().__init__(label_smoothing=label_smoothing)
        self.rank, self.how, self.calls = rank, how, 0

    def forward(self, network, batch, **coins):
        self.calls += self.training
        if self.calls == 5 and torch.distributed.get_rank() == self.rank:
            if self.how == "raise":
                raise ArithmeticError("nine is no number")
            if self.how == "refuse":
                raise RunError("the colour is not blue")
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(int(self.how))
        return super().forward(network, batch, **coins)
'''
WORDS = [
    *SMALL, "data.size=300", "logger=csv", "callbacks=quiet", "trainer=ddp_cpu", "trainer.max_steps=100000",
    "trainer.validate_every=20", "trainer.validation_sentences=8",
]  # fmt: skip


def started(folder: Path, *words: str) -> subprocess.Popen:
    (folder / "faulty.py").write_text(FAULTY, encoding="utf-8")
    environment = {
        **os.environ, "PYTHONPATH": f"{REPOSITORY}:{folder}", "S2S_LAB_TRUST": "faulty", "COLUMNS": "200",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "s2s_lab.train", *WORDS, *words],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_folder(folder: Path) -> Path:
    (run,) = folder.glob("outputs/reverse/*/")
    return run


def processes_of(folder: Path) -> list[int]:
    """The processes whose command line names a file in the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{folder}/outputs" in path.read_bytes().decode(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_for(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert condition()


FAULTS = [
    (1, "raise", "rank 1: ArithmeticError: nine is no number"),
    pytest.param(1, "kill", "rank 1 was killed by signal 9", marks=pytest.mark.slow),
    pytest.param(0, "kill", "rank 0 was killed by signal 9", marks=pytest.mark.slow),
    pytest.param(0, "raise", "rank 0: ArithmeticError: nine is no number", marks=pytest.mark.slow),
    pytest.param(1, "refuse", "rank 1: the colour is not blue", marks=pytest.mark.slow),
    pytest.param(1, "7", "rank 1 ended with exit code 7", marks=pytest.mark.slow),
    pytest.param(1, "0", "rank 1 ended before the others", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("rank", "how", "reason"), FAULTS)
def test_a_rank_that_fails_ends_all_and_is_named(tmp_path: Path, rank: int, how: str, reason: str) -> None:
    faulty = ["objective._target_=faulty.Faulty", f"+objective.rank={rank}", f'+objective.how="{how}"']
    process = started(tmp_path, *faulty)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    run = run_folder(tmp_path)
    assert "Traceback" not in errors
    assert reason in errors.strip().splitlines()[-1]
    assert reason.removeprefix("rank 0: ") in (run / "error.txt").read_text()
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    wait_for(lambda: not processes_of(tmp_path), 5)


@pytest.mark.parametrize(
    ("number", "whom"),
    [
        (signal.SIGTERM, "parent"),
        pytest.param(signal.SIGINT, "parent", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, "parent", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "rank", marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_is_agreed_upon_and_saves_the_state(tmp_path: Path, number: signal.Signals, whom: str) -> None:
    process = started(tmp_path)
    wait_for(lambda: list(tmp_path.glob("outputs/reverse/*/checkpoints/last.ckpt")))
    run = run_folder(tmp_path)
    os.kill(process.pid if whom == "parent" else max(processes_of(tmp_path)), number)
    _, errors = process.communicate(timeout=150)
    wait_for(lambda: not processes_of(tmp_path), 60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), errors
    assert "Traceback" not in errors
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "interrupted"
    assert facts["steps"] >= 20
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == facts["steps"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_two_ranks_that_were_stopped_go_on_to_the_same_weights_and_curves(tmp_path: Path, number: int) -> None:
    words = ["trainer.max_steps=200", "encoder.dropout=0.2", "data.num_workers=2"]
    (tmp_path / "whole").mkdir()
    started(tmp_path / "whole", *words).communicate(timeout=180)
    process = started(tmp_path, *words)
    wait_for(lambda: list(tmp_path.glob("outputs/reverse/*/checkpoints/last.ckpt")))
    run, whole = run_folder(tmp_path), run_folder(tmp_path / "whole")
    for rank in processes_of(tmp_path) if number == signal.SIGKILL else [process.pid]:
        os.kill(rank, number)
    process.communicate(timeout=60)
    stopped_at = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert 20 <= stopped_at < 200
    again = subprocess.run(
        [sys.executable, "-m", "s2s_lab.train", f"resume={run}"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert (run / "model/model.safetensors").read_bytes() == (whole / "model/model.safetensors").read_bytes()
    times = {"seconds", "train/tokens_per_second"}
    curves = [read_curves(folder / "metrics.csv") for folder in (run, whole)]
    assert list(curves[0]) == list(curves[1])
    for name in set(curves[0]) - times:
        assert np.array_equal(curves[0][name], curves[1][name], equal_nan=True), name
