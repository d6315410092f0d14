"""Jobs on Ray: how each of their ends is told, that stopping reaches them, and that nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.backends import ray as module
from s2s_lab.sweeps.backends.base import End, Task
from s2s_lab.sweeps.backends.ray import OWN_VARIABLES, RayBackend
from tests.assemble.test_experiment import frozen
from tests.sweeps.backends.conftest import Stubs, alive, ends, saved, seen, until


def processes() -> set[int]:
    """Those of this user's processes that belong to a Ray."""
    found = subprocess.run(["pgrep", "-f", "raylet|gcs_server|ray::|ray/_private"], capture_output=True, text=True)
    return {int(pid) for pid in found.stdout.split()}


@pytest.fixture(scope="module")
def backend() -> Iterator[RayBackend]:
    """One Ray of two cores for all tests of this module; its start takes seconds."""

    def traces() -> list[object]:
        home = sorted(Path.home().glob(".ray*"))
        return [
            signal.getsignal(signal.SIGTERM),
            sorted(OWN_VARIABLES.keys() & os.environ),
            home,
            sorted(Path("/tmp").glob("ray-*")),
        ]

    before, found = processes(), traces()
    made = RayBackend({"cores": 2}, None)
    yield made
    made.close()
    assert traces() == found
    until(lambda: not any(map(alive, processes() - before)), 10)


def test_every_end_of_a_job_is_told(backend: RayBackend, stubs: Stubs) -> None:
    expected = {"0": (0, ""), "1": (1, ""), "2": (2, ""), "kill": (-9, "")}
    tasks = {word: stubs(word) for word in expected}
    for task in tasks.values():
        backend.start(task)
    found = {end.task.folder.path: (end.code, end.reason) for end in ends(backend, 4)}
    assert {word: found[task.folder.path] for word, task in tasks.items()} == expected
    assert backend.wait(0) == []


def test_there_is_room_for_what_the_cores_hold(backend: RayBackend, stubs: Stubs) -> None:
    tasks = [stubs("brief"), stubs("brief")]
    assert (backend.places(1, 0), backend.places(2, 0), backend.places(3, 0), backend.places(1, 1)) == (2, 1, 1, 1)
    for task in tasks:
        assert backend.has_room()
        backend.start(task)
    assert not backend.has_room()
    found = seen(backend, tasks[0])
    assert found["folder"] == os.getcwd()
    assert found["environment"]["OMP_NUM_THREADS"] == "1"
    assert len(found["cores"]) == 1
    ends(backend, 2)
    assert backend.has_room()
    with pytest.raises(
        RequestError, match=r"a job asks for 3 cores, and Ray has 2 on this machine; see .*cores_per_job"
    ):
        backend.start(stubs("0", cores=3))
    with pytest.raises(RequestError, match="a job asks for 1 gpus, and Ray has 0 "):
        backend.start(stubs("0", gpus=1))


def test_a_stop_lets_the_job_save_and_a_second_one_kills(backend: RayBackend, stubs: Stubs) -> None:
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
    assert (end.task, end.reason) == (stubborn, "cancelled") and end.code < 0
    until(lambda: not any(map(alive, pids)), 5)


def test_a_job_that_waits_for_room_is_cancelled(backend: RayBackend, stubs: Stubs) -> None:
    running, waiting = stubs("sleep", cores=2), stubs("0", cores=2)
    backend.start(running)
    seen(backend, running)
    backend.start(waiting)
    backend.stop(waiting)
    assert ends(backend, 1) == [End(waiting, -15, "cancelled")]
    assert not (waiting.folder.path / "seen").exists()
    backend.stop(running)
    assert ends(backend, 1) == [End(running, 130, "cancelled")]


@pytest.mark.parametrize(
    ("number", "code", "reason"), [(signal.SIGKILL, -9, "its worker died"), (signal.SIGTERM, 130, "preempted")]
)
def test_a_worker_that_dies_takes_its_job_along_and_one_that_is_asked_tells(
    backend: RayBackend, stubs: Stubs, number: signal.Signals, code: int, reason: str
) -> None:
    task = stubs("sleep")
    backend.start(task)
    found = seen(backend, task)
    os.kill(found["parent"], number)
    (end,) = ends(backend, 1)
    assert end.code == code and end.reason.startswith(reason) and "\n" not in end.reason
    until(lambda: not alive(found["pid"]), 5)
    assert number == signal.SIGKILL or saved(task)


def test_a_program_that_cannot_be_started_is_named(
    backend: RayBackend, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.start_of.__globals__["process"], "job_command", lambda *words, **how: ["/no/python"])
    task = stubs("0")
    backend.start(task)
    (end,) = ends(backend, 1)
    assert end.code == 1 and "/no/python" in end.reason and "\n" not in end.reason


def test_what_ray_says_of_a_job_whose_worker_told_nothing(
    backend: RayBackend, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's own faults cannot be called forth at will; each is told as what it is."""
    from ray import exceptions as errors

    task = stubs("0")
    faults = {
        errors.OutOfMemoryError("the machine is full"): (-9, "out of memory"),
        errors.NodeDiedError("gone"): (-9, "node failed"),
        errors.WorkerCrashedError(): (-9, "its worker died (WorkerCrashedError: "),
    }
    for fault, (code, reason) in faults.items():

        def get(result: object, fault: Exception = fault) -> None:
            raise fault

        with monkeypatch.context() as patched:
            patched.setattr(backend._ray, "get", get)
            end = backend._end(module._Started(task, None))  # type: ignore[arg-type]
        assert end.code == code and end.reason.startswith(reason)


def test_a_second_backend_uses_the_ray_that_is_there_and_leaves_it(backend: RayBackend, stubs: Stubs) -> None:
    second, task, other = RayBackend({}, jobs_at_once=1, jobs_per_gpu=4), stubs("sleep"), stubs("0")
    second.start(task)
    assert not second.has_room()
    seen(second, task)
    second.close()
    assert saved(task)
    assert second._amounts(1, 1) == {"CPU": 1.0, "GPU": 0.25}
    assert second._amounts(1, 2) == {"CPU": 1.0, "GPU": 2.0}
    backend.start(other)
    assert ends(backend, 1) == [End(other, 0)]


@pytest.mark.slow
def test_a_real_training_is_trained(backend: RayBackend, tmp_path: Path) -> None:
    folder = frozen(tmp_path / "outputs", "debug=tiny", "trainer.max_steps=4", "trainer.validate_every=2")
    backend.start(Task(folder, cores=1, gpus=0))
    assert [(end.code, end.reason) for end in ends(backend, 1, 120)] == [(0, "")]
    assert folder.read()["status"] == "finished"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adress": "auto"}, r"unknown key hydra\.launcher\.options\.adress; did you mean address\?"),
        ({"cores": 1.5}, r"options\.cores is 1\.5; expected a whole number, 1 or more or null"),
        ({"address": "auto", "cores": 2}, r"options\.cores=2: is of a Ray of its own on this machine"),
        ({"resources": 3}, r"options\.resources is 3; expected a mapping"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        RayBackend(options, None)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_nobody_else_can_use_the_ray_that_is_started_here(backend: RayBackend) -> None:
    """It listens on all networks of the machine; whoever has not its token is sent away."""
    import ray

    address = ray.get_runtime_context().gcs_address
    code = f"import ray; ray.init(address={address!r}, log_to_driver=False)"
    for mode in ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "x" * 64}):
        done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **mode}, capture_output=True, text=True)
        assert done.returncode != 0 and "InvalidAuthToken" in done.stderr


def test_an_address_where_nobody_listens_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(RequestError, match=rf"address=127\.0\.0\.1:{port}: nobody answers there \(.*refused"):
            RayBackend({"address": f"127.0.0.1:{port}"}, None)


def test_without_ray_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError, match=r"pip install 's2s-lab\[ray\]'"):
        RayBackend({}, None)
