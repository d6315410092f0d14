"""Tasks whose job is a stub, a SLURM of one machine, and a look at what is left behind."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps import process
from s2s_lab.sweeps.backends.base import Backend, End, Task

STUB = Path(__file__).with_name("stub.py")
FAKE_SLURM = Path(__file__).with_name("fake_slurm.py")
SETTINGS = {"num_threads": None, "allocator": "default", "devices": 1}

Stubs = Callable[..., Task]


@pytest.fixture
def stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubs]:
    """Makes tasks whose job ends as asked (see stub.py); none of their processes may outlive the test."""
    how: dict[Path, str] = {}
    real = process.job_command

    def command(folder: RunFolder, *, resume: bool = False, accept_changed_data: bool = False) -> list[str]:
        if folder.path not in how:
            return real(folder, resume=resume, accept_changed_data=accept_changed_data)
        return [sys.executable, "-I", "-S", str(STUB), how[folder.path], str(folder.path)]

    def make(word: str, *, cores: int = 1, gpus: int = 0) -> Task:
        folder = RunFolder.create(tmp_path / "outputs" / "stubs", "run")
        folder.write_configuration({"trainer": SETTINGS})
        how[folder.path] = word
        return Task(folder, cores=cores, gpus=gpus)

    monkeypatch.setattr(process, "job_command", command)
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background commands ignore it
    yield make
    signal.signal(signal.SIGINT, heard)
    pids = [json.loads((folder / "seen").read_text())["pid"] for folder in how if (folder / "seen").exists()]
    until(lambda: not any(alive(pid) for pid in pids), 5)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a SLURM of this machine alone, whose commands are on the path."""
    from submitit import SlurmJob

    commands, state = tmp_path / "bin", tmp_path / "slurm"
    commands.mkdir()
    state.mkdir()
    for name in ("sbatch", "srun", "scancel", "sacct"):
        (commands / name).write_text(f"#!{sys.executable} -IS\n{FAKE_SLURM.read_text(encoding='utf-8')}")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(state))
    SlurmJob.watcher.clear()
    SlurmJob.watcher._registered.clear()
    return state


def ends(backend: Backend, count: int, seconds: float = 40) -> list[End]:
    """The next ends, so many."""
    found: list[End] = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += backend.wait(0.5)
    assert len(found) == count, found
    return found


def seen(backend: Backend, task: Task) -> dict:
    """What the task's stub has found around it, once it runs."""
    file = task.folder.path / "seen"
    deadline = time.monotonic() + 40
    while not file.exists() and time.monotonic() < deadline:
        assert backend.wait(0.1) == []
    return json.loads(file.read_text())


def saved(task: Task) -> bool:
    return (task.folder.path / "saved").exists()


def until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert true()


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
