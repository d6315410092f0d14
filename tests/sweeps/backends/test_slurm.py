"""Jobs on SLURM: how they are submitted, how each of their ends is told, and that stopping reaches them."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.backends import slurm as module
from s2s_lab.sweeps.backends.base import Backend, End, Task
from s2s_lab.sweeps.backends.slurm import SlurmBackend
from tests.assemble.test_experiment import frozen
from tests.sweeps.backends.conftest import Stubs, alive, ends, saved, seen, until

Make = Callable[..., SlurmBackend]


@pytest.fixture
def local(tmp_path: Path, stubs: Stubs) -> Iterator[Make]:
    """Backends over submitit's own executor for this machine."""
    with _closed(tmp_path, {"cluster": "local"}) as make:
        yield make


@pytest.fixture
def cluster(tmp_path: Path, slurm: Path, stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Backends over the SLURM of this machine."""
    monkeypatch.setattr(module, "STATE_SECONDS", 0.3)
    monkeypatch.setattr(module, "RESULT_SECONDS", 0.3)
    with _closed(tmp_path, {}) as make:
        yield make


class _closed:  # noqa: N801
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        self.folder, self.options, self.made = folder / "outputs" / ".slurm", options, []

    def __enter__(self) -> Make:
        def make(jobs_at_once: int | None = None, **options: Any) -> SlurmBackend:
            backend = SlurmBackend({**self.options, **options}, jobs_at_once, self.folder)
            self.made.append(backend)
            return backend

        return make

    def __exit__(self, *fault: object) -> None:
        for backend in self.made:
            backend.close()


def script(slurm: Path) -> str:
    return "".join(file.read_text() for file in sorted(slurm.glob("*.sh")))


def codes(found: list[End]) -> dict[Path, tuple[int, str]]:
    return {end.task.folder.path: (end.code, end.reason) for end in found}


@pytest.mark.parametrize("where", ["local", "cluster"])
def test_every_end_of_a_job_is_told(where: str, request: pytest.FixtureRequest, stubs: Stubs) -> None:
    backend: Backend = request.getfixturevalue(where)(jobs_at_once=4)
    expected = {"0": (0, ""), "1": (1, ""), "2": (2, ""), "kill": (-9, "")}
    tasks = {word: stubs(word) for word in expected}
    assert backend.places(1, 0) == 4
    for task in tasks.values():
        assert backend.has_room()
        backend.start(task)
    assert not backend.has_room()
    found = codes(ends(backend, 4))
    assert {word: found[task.folder.path] for word, task in tasks.items()} == expected
    assert backend.has_room() and backend.wait(0) == []


@pytest.mark.parametrize("where", ["local", "cluster"])
def test_a_stop_lets_the_job_save_and_a_second_one_kills(
    where: str, request: pytest.FixtureRequest, stubs: Stubs
) -> None:
    backend: Backend = request.getfixturevalue(where)()
    kind, stubborn = stubs("sleep"), stubs("stubborn")
    backend.start(kind)
    backend.start(stubborn)
    pids = [seen(backend, task)["pid"] for task in (kind, stubborn)]
    backend.stop(kind)
    backend.stop(stubborn)
    assert ends(backend, 1) == [End(kind, 130, "cancelled")]
    assert saved(kind) and alive(pids[1])
    backend.stop(stubborn)
    (end,) = ends(backend, 1)
    assert (end.task, end.code, end.reason) == (stubborn, -9, "cancelled")
    if where == "cluster":  # SLURM would have killed all processes of the job, this one kills the worker alone
        os.kill(pids[1], signal.SIGKILL)
    until(lambda: not any(map(alive, pids)), 5)


def test_closing_ends_all_that_runs(cluster: Make, stubs: Stubs) -> None:
    backend, tasks = cluster(), [stubs("sleep"), stubs("sleep")]
    for task in tasks:
        backend.start(task)
    for task in tasks:
        seen(backend, task)
    backend.close()
    assert all(map(saved, tasks))


def test_a_job_that_is_stopped_before_it_was_submitted_never_starts(local: Make, stubs: Stubs) -> None:
    backend, task = local(), stubs("0")
    backend.start(task)
    backend.stop(task)
    assert backend.wait(5) == [End(task, -15, "cancelled")]
    assert not (task.folder.path / "seen").exists()


def test_a_stop_whose_signal_nobody_heard_is_seen_by_the_worker(
    local: Make, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    backend, task = local(), stubs("0")
    backend.start(task)
    backend.wait(0)
    backend.stop(task)
    assert ends(backend, 1) == [End(task, 130, "cancelled")]
    assert not (task.folder.path / "seen").exists()
    backend.start(task)  # and the next start of the same run is not stopped by it
    assert ends(backend, 1) == [End(task, 0)]


def test_a_job_finds_its_cores_threads_and_folder_and_no_trace_of_slurm(
    cluster: Make, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN", "1")
    backend, task = cluster(), stubs("0", cores=1)
    backend.start(task)
    ends(backend, 1)
    found = seen(backend, task)
    assert found["folder"] == os.getcwd()
    assert len(found["cores"]) == 1
    assert found["environment"] == {"OMP_NUM_THREADS": "1", "OWN": "1"}


def test_the_options_are_what_sbatch_reads(cluster: Make, slurm: Path, stubs: Stubs) -> None:
    options = {"partition": "long", "account": "mine", "time": 90, "memory": 7.5, "save_seconds": 33}
    further = {"constraint": "a100|h100", "exclusive": True, "nice": 100, "hold": False}
    backend = cluster(jobs_at_once=3, **options, sbatch=further, setup=["export OWN=set"])
    tasks = [stubs("0", cores=3, gpus=2), stubs("0", cores=3, gpus=2), stubs("0", cores=1)]
    for task in tasks:
        backend.start(task)
    ends(backend, 3)
    first, second = (file.read_text() for file in sorted(slurm.glob("*.sh")))
    lines = [
        "partition=long", "account=mine", "time=90", "mem=7680MB", "signal=USR2@33", "cpus-per-task=3",
        "gpus-per-node=2", "constraint='a100|h100'", "exclusive", "nice=100", "no-requeue", "array=0-1%2", "nodes=1",
    ]  # fmt: skip
    assert "'--cpus-per-task=3'" in first or " --cpus-per-task=3 " in first
    for line in lines:
        assert f"#SBATCH --{line}\n" in first
    assert "hold" not in first and "gpus" not in second and "array" not in second
    assert "#SBATCH --cpus-per-task=1\n" in second
    assert seen(backend, tasks[0])["environment"]["OWN"] == "set"


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [
        ("OUT_OF_MEMORY", "out of memory", -9),
        ("CANCELLED by 1000", "cancelled", -15),
        ("TIMEOUT", "out of time", -15),
        ("NODE_FAIL", "node failed", -9),
        ("PREEMPTED", "preempted", -15),
        ("FAILED", r"its worker ended without a result (state FAILED); see ", 1),
    ],
)
def test_what_slurm_says_of_a_job_whose_worker_died(
    cluster: Make, slurm: Path, stubs: Stubs, state: str, reason: str, code: int
) -> None:
    backend, task = cluster(), stubs("sleep")
    backend.start(task)
    pid = seen(backend, task)["pid"]
    (file,) = slurm.glob("*.state")
    file.write_text(state)
    os.kill(int(file.with_suffix(".process").read_text()), signal.SIGKILL)
    (end,) = ends(backend, 1)
    assert end.code == code and end.reason.startswith(reason)
    until(lambda: not alive(pid), 5)
    assert saved(task)  # the job died with its worker, and had the time to save


@pytest.mark.parametrize(
    ("state", "minutes", "reason"),
    [("RUNNING", 240, "preempted"), ("RUNNING", 1, "out of time"), ("CANCELLED by 1000", 240, "cancelled")],
)
def test_submitits_signal_lets_the_job_save(
    cluster: Make, slurm: Path, stubs: Stubs, state: str, minutes: int, reason: str
) -> None:
    """SIGUSR2 comes before a time limit or a preemption."""
    backend, task = cluster(time=minutes), stubs("sleep")
    backend.start(task)
    seen(backend, task)
    (file,) = slurm.glob("*.state")
    file.write_text(state)
    os.kill(int(file.with_suffix(".process").read_text()), signal.SIGUSR2)
    assert ends(backend, 1) == [End(task, 130, reason)]
    assert saved(task)


def test_a_job_that_still_waits_is_cancelled(cluster: Make, slurm: Path, stubs: Stubs) -> None:
    (slurm / "pending").touch()
    backend, task = cluster(), stubs("0")
    backend.start(task)
    assert backend.wait(0.2) == []
    backend.stop(task)
    assert ends(backend, 1) == [End(task, -15, "cancelled")]
    (slurm / "pending").unlink()
    time.sleep(0.2)
    assert not (task.folder.path / "seen").exists()


def test_a_job_of_a_launcher_that_died_is_taken_up(cluster: Make, slurm: Path, stubs: Stubs) -> None:
    first, task = cluster(), stubs("sleep")
    first.start(task)
    seen(first, task)
    first._submitted.clear()  # it died
    second = cluster()
    second.start(task)
    assert second.wait(0.5) == []
    assert len(list(slurm.glob("*.sh"))) == 1
    second.stop(task)
    assert ends(second, 1) == [End(task, 130, "cancelled")]
    second.start(task)  # that job is over: a new one
    assert second.wait(1.0) == []
    assert len(list(slurm.glob("*.sh"))) == 2


def test_a_refused_submission_is_a_wrong_request_or_the_end_of_its_tasks(
    cluster: Make, slurm: Path, stubs: Stubs, capfd: pytest.CaptureFixture[str]
) -> None:
    backend, task = cluster(), stubs("0")
    (slurm / "refuse").touch()
    backend.start(task)
    with pytest.raises(RequestError, match="SLURM has not taken the job: sbatch: error: invalid partition") as caught:
        backend.wait(1)
    assert "\n" not in str(caught.value)
    assert ends(backend, 1) == [End(task, 1, str(caught.value))]
    (slurm / "refuse").unlink()
    backend.start(task)
    assert ends(backend, 1) == [End(task, 0)]
    (slurm / "refuse").touch()
    backend.start(task)
    (end,) = ends(backend, 1)
    assert end.code == 1 and "invalid partition" in end.reason
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partitoin": "long"}, r"unknown key hydra\.launcher\.options\.partitoin; did you mean partition\?"),
        ({"zzz": 1}, r"unknown key hydra\.launcher\.options\.zzz; expected one of cluster, partition, "),
        ({"time": "4h"}, r"options\.time is '4h'; expected a whole number, 1 or more or null"),
        ({"time": 0}, r"options\.time is 0; "),
        ({"memory": True}, r"options\.memory is True; expected a number above 0 or null"),
        ({"sbatch": ["x"]}, r"options\.sbatch is \['x'\]; expected a mapping"),
        ({"setup": "module load"}, r"options\.setup is 'module load'; expected a list of texts"),
        ({"cluster": "slrum"}, r"options\.cluster is 'slrum'; expected one of slurm, local"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        SlurmBackend({"cluster": "local", **options}, None, tmp_path)
    assert "\n" not in str(caught.value)


def test_without_slurm_or_submitit_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError, match="sbatch, srun, scancel and sacct are not all on the path"):
        SlurmBackend({}, None, tmp_path)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(RequestError, match=r"pip install 's2s-lab\[slurm\]'"):
        SlurmBackend({}, None, tmp_path)


def test_a_real_training_is_trained(local: Make, tmp_path: Path) -> None:
    folder = frozen(tmp_path / "outputs", "debug=tiny", "trainer.max_steps=4", "trainer.validate_every=2")
    backend = local(time=5)
    backend.start(Task(folder, cores=1, gpus=0))
    assert [(end.code, end.reason) for end in ends(backend, 1, 120)] == [(0, "")]
    assert folder.read()["status"] == "finished"
