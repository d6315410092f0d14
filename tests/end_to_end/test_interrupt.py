"""An interrupted run keeps what it has computed and says so."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.records.run_folder import RunFolder
from tests.end_to_end.conftest import REPOSITORY, SMALL, Commands


def started(commands: Commands, words: list[str]) -> tuple[subprocess.Popen, Path]:
    """A training that has written its first checkpoint, and its run folder."""
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
        time.sleep(0.01)
    (run,) = commands.folder.glob("outputs/reverse/*/")
    return process, run


def waited_for(parent: int) -> list[int]:
    """The children of a process, as soon as it holds a descriptor to wait for their ends."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):  # a descriptor that was closed meanwhile
            held = [os.readlink(link) for link in Path(f"/proc/{parent}/fd").iterdir()]
            if "anon_inode:[pidfd]" in held:
                break
        time.sleep(0.005)
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_checkpoint_and_a_true_record(commands: Commands, number: signal.Signals) -> None:
    words = [
        *SMALL, "logger=csv", "trainer.max_steps=100000", "trainer.validate_every=20", "trainer.validation_sentences=8",
    ]  # fmt: skip
    process, run = started(commands, words)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    facts = json.loads((run / "run.json").read_text())
    assert process.returncode == 128 + signal.SIGINT, errors
    assert "Traceback" not in errors
    assert facts["status"] == "interrupted"
    assert facts["steps"] >= 20
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == facts["steps"]


def test_an_interrupt_before_a_training_has_begun_is_one_too(commands: Commands) -> None:
    words = [sys.executable, "-m", "s2s_lab.train", *SMALL, "logger=csv", "paths.outputs=early"]
    process = subprocess.Popen(words, cwd=commands.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run = Path(process.stdout.readline().removeprefix("run ").strip())
    (job,) = waited_for(process.pid)
    assert "--wait" in Path(f"/proc/{job}/cmdline").read_text().split("\0"), "the job loaded while it was checked"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT and "Traceback" not in errors, errors
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"


def test_a_killed_run_is_resumed_to_the_weights_of_one_never_stopped(commands: Commands) -> None:
    words = [*SMALL, "logger=csv", "trainer.max_steps=60", "trainer.validate_every=10", "encoder.dropout=0.2"]
    words += ["trainer.validation_sentences=4", "data.num_workers=2"]
    commands("train", *words, "paths.outputs=whole")
    process, run = started(commands, words)
    job = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    for number in job:  # the job has a process group of its own
        os.kill(int(number), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "killed by signal 9" in errors
    refused = commands("train", f"resume={run}", "seed=2", code=2)
    assert refused.stderr.count("\n") == 1 and "seed=2" in refused.stderr
    commands("train", f"resume={run}")
    (whole,) = commands.folder.glob("whole/reverse/*/")
    assert (run / "model/model.safetensors").read_bytes() == (whole / "model/model.safetensors").read_bytes()
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    wanted = plain(compose_jobs("evaluate", ["runs=[it]", "decoding.max_length=5"], multirun=False, folder=None)[0])
    RunFolder(run).plan_evaluations([{key: value for key, value in wanted.items() if key != "runs"}])
    assert "nothing is left to do" not in commands("train", f"resume={run}").stdout
    assert len(list(run.glob("evaluation/*/*/scores.json"))) == 1
    assert "nothing is left to do" in commands("train", f"resume={run}").stdout
