"""Sweeps of stub jobs: failures, retries, stops, resumption, and kills at random moments."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.backends.base import LOST_SERVER, End, Task
from s2s_lab.sweeps.backends.local import LocalBackend
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.launcher import raise_for
from s2s_lab.sweeps.leases import Leases
from s2s_lab.sweeps.ledger import Ledger
from s2s_lab.sweeps.outcome import Outcome
from s2s_lab.sweeps.run_jobs import run_jobs
from tests.sweeps import stubs

HERE = Path(__file__).parent


def sweep(jobs: list[FrozenJob], cores: int = 2, **settings: Any) -> list[Outcome]:
    with Engine(EngineSettings(**settings), total=len(jobs), backend=stubs.stub_backend(cores=cores)) as engine:
        return run_jobs(engine, jobs)


def ledger(outputs: Path) -> Ledger:
    found = Ledger(outputs / "stubs")
    found.read()
    return found


def statuses(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.job.label: outcome.status for outcome in outcomes}


def test_all_jobs_run_once_and_the_same_command_runs_none_again(tmp_path: Path) -> None:
    jobs = [stubs.stub_job(tmp_path, seed) for seed in range(4)]
    first = sweep(jobs)
    assert statuses(first) == {f"seed={seed}": "finished" for seed in range(4)}
    assert all(outcome.attempts == 1 for outcome in first)
    again = sweep([*jobs, stubs.stub_job(tmp_path, 4)])
    assert {outcome.job.label: outcome.attempts for outcome in again} == {
        "seed=0": 0, "seed=1": 0, "seed=2": 0, "seed=3": 0, "seed=4": 1,
    }  # fmt: skip
    assert [entry.finishes for entry in ledger(tmp_path).entries.values()] == [1] * 5


def test_no_more_run_at_once_than_there_are_cores(tmp_path: Path) -> None:
    seen = []
    with Engine(EngineSettings(cores_per_job=1), total=6, backend=stubs.stub_backend(cores=2)) as engine:
        waiting = [stubs.stub_job(tmp_path, seed, pause=0.05) for seed in range(6)]
        engine.hold(waiting)
        while waiting or engine.running():
            while waiting and engine.has_room():
                engine.start(waiting.pop(0))
            seen.append(len(engine.running()))
            engine.wait(1.0)
    assert max(seen) == 2


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("error", "failed", "ZeroDivisionError: division by zero"),
        ("killed", "failed", "killed by signal 9"),
        ("silent", "failed", "its process ended without a result"),
        ("refused", "refused", "this is wrong"),
        ("memory", "failed", "out of memory at step 1"),
    ],
)
def test_a_failure_is_named_and_the_others_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], how: str, status: str, reason: str
) -> None:
    jobs = [stubs.stub_job(tmp_path, 0, fails_at=1, how=how), stubs.stub_job(tmp_path, 1)]
    outcomes = {outcome.job.label: outcome for outcome in sweep(jobs)}
    assert outcomes["seed=0"].status == status and outcomes["seed=1"].status == "finished"
    assert outcomes["seed=0"].reason == reason
    assert outcomes["seed=0"].out_of_memory == (how == "memory")
    folder = outcomes["seed=0"].folder
    assert folder is not None and folder.read()["status"] == "failed"
    assert f"seed=0 {status}: {reason}; see {folder.error_file}" in capfd.readouterr().err
    assert ledger(tmp_path).entries[jobs[0].hash].status == status


class Unstartable:
    """A place that does not take the tasks of some jobs."""

    adopts = True

    def __init__(self, fault: Exception, *, at_start: bool) -> None:
        self.inner, self.fault, self.at_start = stubs.stub_backend(), fault, at_start
        self.refused: list[End] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def start(self, task: Task) -> None:
        if task.folder.configuration()["seed"] > 0:
            self.inner.start(task)
        elif self.at_start:
            raise self.fault
        else:
            self.refused.append(End(task, 1, str(self.fault)))

    def wait(self, seconds: float) -> list[End]:
        told, self.refused = self.refused, []
        if told and isinstance(self.fault, RequestError):
            self.refused = told
            self.fault = OSError()
            raise RequestError("no such partition")
        return told or self.inner.wait(seconds)


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (RequestError("no machine has room for it"), "refused", "no machine has room for it"),
        (OSError(28, "No space left on device"), "failed", "it cannot be started: [Errno 28] No space left on device"),
    ],
)
def test_a_job_that_the_place_does_not_take_ends_and_the_others_go_on(
    tmp_path: Path, fault: Exception, status: str, reason: str
) -> None:
    jobs = [stubs.stub_job(tmp_path, seed) for seed in range(3)]
    with Engine(EngineSettings(), total=3, backend=Unstartable(fault, at_start=True)) as engine:
        outcomes = {outcome.job.label: outcome for outcome in run_jobs(engine, jobs)}
    assert (outcomes["seed=0"].status, outcomes["seed=0"].reason) == (status, reason)
    assert [entry.status for entry in ledger(tmp_path).entries.values()] == [status, "finished", "finished"]


def test_a_place_that_takes_nothing_ends_the_sweep_with_all_ends_on_record(tmp_path: Path) -> None:
    jobs = [stubs.stub_job(tmp_path, seed, pause=0.2) for seed in range(2)]
    backend = Unstartable(RequestError("SLURM"), at_start=False)
    with (
        pytest.raises(RequestError, match="no such partition"),
        Engine(EngineSettings(), total=2, backend=backend) as engine,
    ):
        run_jobs(engine, jobs)
    assert [entry.status for entry in ledger(tmp_path).entries.values()] == ["failed", "interrupted"]


def test_a_process_that_cannot_be_started_is_a_failure_of_its_job(tmp_path: Path) -> None:
    def command(folder: RunFolder, **how: bool) -> list[str]:
        missing = folder.configuration()["seed"] == 0
        return [str(tmp_path / "missing")] if missing else stubs.stub_command(folder, **how)

    jobs = [stubs.stub_job(tmp_path, seed) for seed in range(3)]
    backend = LocalBackend(Leases(1), warm=False, command=command)
    with Engine(EngineSettings(), total=3, backend=backend) as engine:
        outcomes = {outcome.job.label: outcome for outcome in run_jobs(engine, jobs)}
    assert statuses(list(outcomes.values())) == {"seed=0": "failed", "seed=1": "finished", "seed=2": "finished"}
    assert "its process cannot be started: [Errno 2]" in outcomes["seed=0"].reason


def test_jobs_of_a_server_that_died_end_although_another_one_takes_its_place(tmp_path: Path) -> None:
    folders = [stubs.stub_job(tmp_path, seed).create_folder() for seed in range(2)]

    def command(folder: RunFolder, **_: bool) -> list[str]:
        waits = folder.path == folders[0].path
        return ["python", "-m", "job", *(["wait", str(tmp_path / "pid")] if waits else ["exit", "0"])]

    backend = LocalBackend(Leases(2), command=command, server=(sys.executable, str(HERE / "fork_program.py")))
    first, second = (Task(folder, cores=1, gpus=0) for folder in folders)
    backend.start(first)
    assert backend.wait(0.0) == []
    until_file(tmp_path / "pid")
    (server,) = backend._servers.values()
    server._process.kill()
    server._process.wait()
    backend.start(second)  # before anybody looks who has ended
    found: list[End] = []
    deadline = time.monotonic() + 30
    while len(found) < 2 and time.monotonic() < deadline:
        found += backend.wait(0.5)
    backend.close()
    assert {end.task: (end.code, end.reason) for end in found} == {first: (-15, LOST_SERVER), second: (0, "")}
    assert backend.leases.take(2, 0) is not None


def until_file(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.is_file():
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)


def test_a_failed_job_is_retried_from_its_last_step(tmp_path: Path) -> None:
    job = stubs.stub_job(tmp_path, 0, steps=4, fails_at=2, how="killed", failures=2)
    (given_up,) = sweep([job], on_failure="retry", retries=1)
    assert (given_up.status, given_up.attempts) == ("failed", 2)
    (done,) = sweep([job], on_failure="retry", retries=1)  # asked again, it goes on from where it was
    assert done.status == "finished" and done.folder is not None
    assert (done.folder.path / "starts").read_text().split() == ["0", "2", "3"]


def test_a_refused_job_is_not_retried(tmp_path: Path) -> None:
    (outcome,) = sweep([stubs.stub_job(tmp_path, 0, fails_at=1, how="refused")], on_failure="retry", retries=3)
    assert (outcome.status, outcome.attempts) == ("refused", 1)


def test_for_want_of_memory_a_job_is_retried_alone(tmp_path: Path) -> None:
    jobs = [
        stubs.stub_job(tmp_path, 0, fails_at=1, how="memory"),
        *(stubs.stub_job(tmp_path, n, pause=0.1) for n in (1, 2)),
    ]
    alone = []
    with Engine(EngineSettings(on_failure="retry", cores_per_job=1), total=3, backend=stubs.stub_backend()) as engine:
        engine.hold(jobs)
        waiting = list(jobs)
        while waiting or engine.running():
            while waiting and engine.has_room():
                engine.start(waiting.pop(0))
            engine.wait(0.02)
            running = [item for item in engine.running() if (item.folder.path / "starts").is_file()]
            alone += [item.task.cores for item in running if item.attempts == 2]
    assert alone and set(alone) == {EngineSettings().all_cores}
    assert {entry.status for entry in ledger(tmp_path).entries.values()} == {"finished"}


def test_on_failure_stop_saves_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    jobs = [
        stubs.stub_job(tmp_path, 0, fails_at=20, steps=20, how="error", pause=0.1),
        stubs.stub_job(tmp_path, 1, steps=400, pause=0.05),
        *(stubs.stub_job(tmp_path, seed) for seed in range(2, 6)),
    ]
    outcomes = sweep(jobs, on_failure="stop")
    assert statuses(outcomes) == {"seed=0": "failed", "seed=1": "stopped"}
    with pytest.raises(
        RunError, match="1 of 6 jobs failed, 4 were not started; one of them: seed=0: ZeroDivisionError"
    ):
        raise_for(outcomes, total=6)
    entry = ledger(tmp_path).entries[jobs[1].hash]
    assert (tmp_path / "stubs" / entry.folder / "checkpoints" / "last").is_file()


def test_one_job_is_stopped_on_request_with_its_state_saved(tmp_path: Path) -> None:
    job = stubs.stub_job(tmp_path, 0, steps=400, pause=0.02)
    with Engine(EngineSettings(), total=1, backend=stubs.stub_backend()) as engine:
        engine.start(job)
        while not engine.running() or not (engine.running()[0].folder.checkpoints / "last").is_file():
            engine.wait(0.02)
        engine.stop(job)
        (outcome,) = engine.wait(30.0)
    assert outcome.status == "stopped" and outcome.folder is not None
    assert outcome.folder.read()["status"] == "interrupted"
    assert ledger(tmp_path).entries[job.hash].status == "stopped"


def test_two_sweeps_of_one_experiment_do_not_run_at_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "stubs").held():
        other = subprocess.run(
            [sys.executable, str(HERE / "sweep_of_stubs.py"), str(tmp_path), "1", "1", "0"],
            capture_output=True,
            text=True,
        )
    assert other.returncode != 0 and "another sweep is running there" in other.stderr


def test_a_run_that_finished_without_the_ledger_is_found_by_its_hash(tmp_path: Path) -> None:
    job = stubs.stub_job(tmp_path, 0)
    sweep([job])
    (tmp_path / "stubs" / "ledger.jsonl").unlink()
    (outcome,) = sweep([job])
    assert (outcome.status, outcome.attempts) == ("finished", 0)
    assert ledger(tmp_path).entries[job.hash].status == "finished"


def test_a_folder_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    job = stubs.stub_job(tmp_path, 0)
    (first,) = sweep([job])
    assert first.folder is not None
    for path in sorted(first.folder.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    first.folder.path.rmdir()
    (second,) = sweep([job])
    assert (second.status, second.attempts) == ("finished", 1)


def test_killed_at_random_moments_a_sweep_ends_as_if_it_never_was(tmp_path: Path) -> None:
    """SIGKILL to the launcher and all its jobs, five times."""
    program = [sys.executable, str(HERE / "sweep_of_stubs.py")]
    shape = ["12", "6", "0.02"]
    subprocess.run([*program, str(tmp_path / "whole"), *shape], check=True, capture_output=True)
    moments = random.Random(20)
    for _ in range(5):
        process = subprocess.Popen(
            [*program, str(tmp_path / "cut"), *shape], stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(moments.uniform(0.4, 1.6))
        kill_all(process.pid)
        process.wait()
    subprocess.run([*program, str(tmp_path / "cut"), *shape], check=True, capture_output=True)
    assert ledger(tmp_path / "cut").summary() == ledger(tmp_path / "whole").summary()
    for entry in ledger(tmp_path / "cut").entries.values():
        folder = tmp_path / "cut" / "stubs" / entry.folder
        assert RunFolder(folder).read()["finishes"] == 1
    assert len(list((tmp_path / "cut" / "stubs").glob("*-*"))) == 12


def kill_all(pid: int) -> None:
    """Kills a process and all its descendants at once, without a chance to save anything."""
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children")
        found += [int(child) for child in children.read_text().split()] if children.is_file() else []
    for process in found:
        try:
            os.kill(process, signal.SIGSTOP)
        except ProcessLookupError:
            continue
    for process in found:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
