"""A job's process: its environment, how its end is told, and that it does not outlive its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.process import environment, run_job

SETTINGS = {"trainer": {"num_threads": 3, "allocator": "default"}}


def job_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> RunFolder:
    """A run folder whose job is a shell script in place of Python."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    folder = RunFolder.create(tmp_path, "run")
    folder.write_configuration(SETTINGS)
    return folder


def test_a_job_sees_no_trace_of_other_ranks_and_its_own_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "PL_GLOBAL_SEED"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    found = environment({"num_threads": 3, "allocator": "retain"})
    assert not [name for name in found if "RANK" in name or name.startswith("MASTER") or name == "PL_GLOBAL_SEED"]
    assert found["OMP_NUM_THREADS"] == "3"
    assert "mmap_max=0" in found["GLIBC_TUNABLES"]
    assert "GLIBC_TUNABLES" not in environment({"num_threads": None, "allocator": "default"})


@pytest.mark.parametrize(
    ("script", "fault", "message"),
    [
        ("exit 2", RequestError, "refused"),
        ("exit 1", RunError, "exit code 1"),
        ("kill -9 $$", RunError, "killed by signal 9"),
        ("exit 130", KeyboardInterrupt, "^$"),
    ],
)
def test_every_end_of_a_job_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, fault: type[BaseException], message: str
) -> None:
    with pytest.raises(fault, match=message) as caught:
        run_job(job_that(tmp_path, monkeypatch, script))
    assert getattr(caught.value, "told", False) == (script in ("exit 1", "exit 2"))  # a killed job has told nobody


def test_an_interrupt_before_the_job_has_a_process_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = job_that(tmp_path, monkeypatch, "exit 0")
    folder.start({})

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("s2s_lab.sweeps.process.environment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_job(folder)
    assert folder.read()["status"] == "interrupted"


def test_a_job_that_ends_well_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_job(job_that(tmp_path, monkeypatch, 'test "$OMP_NUM_THREADS" = 3 && test "$2" = s2s_lab.job && test -f "$3"'))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_job_does_not_outlive_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT are handed on; a killed parent takes its job with it."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n", encoding="utf-8")
    program.chmod(0o755)
    folder = RunFolder.create(tmp_path, "run")
    folder.write_configuration(SETTINGS)
    code = (
        "import sys\nfrom s2s_lab.records.run_folder import RunFolder\nfrom s2s_lab.sweeps.process import run_job\n"
        f"sys.executable = {str(program)!r}\nrun_job(RunFolder({str(folder.path)!r}))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int((tmp_path / "pid").read_text())
    time.sleep(0.2)
    parent.send_signal(number)
    assert parent.wait(timeout=20) != 0
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
