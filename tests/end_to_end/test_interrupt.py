"""An interrupted run keeps what it has computed and says so."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.end_to_end.conftest import REPOSITORY, SMALL, Commands


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_checkpoint_and_a_true_record(commands: Commands, number: signal.Signals) -> None:
    words = [
        *SMALL, "logger=csv", "trainer.max_steps=100000", "trainer.validate_every=20", "trainer.validation_sentences=8",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "s2s_lab.train", *words],
        cwd=commands.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list(commands.folder.glob("outputs/reverse/*/checkpoints/last.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    (run,) = commands.folder.glob("outputs/reverse/*/")
    facts = json.loads((run / "run.json").read_text())
    assert process.returncode == 128 + signal.SIGINT, errors
    assert "Traceback" not in errors
    assert facts["status"] == "interrupted"
    assert facts["steps"] >= 20
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == facts["steps"]
