"""One start of a job in a worker: its cores, its signals, and what the launcher's options say."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import yaml

from s2s_lab.sweeps.backends import child, ray, slurm_options
from s2s_lab.sweeps.backends.child import Ended, run_start, start_of
from s2s_lab.sweeps.backends.options import read_options
from tests.sweeps.backends.conftest import Stubs, saved

LAUNCHERS = Path(__file__).resolve().parents[3] / "conf" / "hydra" / "launcher"


def signals(task_folder: Path, *numbers: int) -> threading.Thread:
    """Sends this process signals, one after the other, once the stub runs."""

    def send() -> None:
        while not (task_folder / "seen").exists():
            time.sleep(0.01)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.3)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("word", "numbers", "code"),
    [
        ("sleep", [signal.SIGTERM], 130),
        ("sleep", [signal.SIGUSR2, signal.SIGTERM], 130),
        ("sleep", [signal.SIGINT], 130),
        ("stubborn", [signal.SIGINT, signal.SIGINT], -9),
        ("stubborn", [signal.SIGTERM, signal.SIGTERM, signal.SIGINT], -9),
    ],
)
def test_signals_stop_the_job_and_an_interrupt_after_them_kills_it(
    stubs: Stubs, word: str, numbers: list[int], code: int
) -> None:
    task = stubs(word)
    before = [signal.getsignal(number) for number in (*child.ASKING, signal.SIGINT)]
    thread = signals(task.folder.path, *(numbers if word == "stubborn" else numbers[:1]))
    ended = run_start(start_of(task))
    thread.join()
    assert (ended.code, ended.asked) == (code, numbers[0])
    assert ended.worker == (os.uname().nodename, os.getpid()) and ended.seconds > 0
    assert saved(task) == (word == "sleep")
    assert [signal.getsignal(number) for number in (*child.ASKING, signal.SIGINT)] == before


@pytest.mark.parametrize(
    ("word", "counts", "of_memory"), [("kill", (3, 4), True), ("kill", (3, 3), False), ("1", (3, 4), False)]
)
def test_a_kill_is_one_of_memory_where_the_machine_counts_one_more(
    stubs: Stubs, monkeypatch: pytest.MonkeyPatch, word: str, counts: tuple[int, int], of_memory: bool
) -> None:
    told = iter(counts)
    monkeypatch.setattr(child, "oom_kills", lambda: next(told))
    assert run_start(start_of(stubs(word))).of_memory == of_memory


def test_a_stop_that_came_before_keeps_the_job_from_starting(stubs: Stubs, tmp_path: Path) -> None:
    task, file = stubs("0"), tmp_path / "stop"
    assert run_start(start_of(task, stop_file=file))[:2] == (0, 0)
    (task.folder.path / "seen").unlink()
    file.touch()
    assert run_start(start_of(task, stop_file=file))[:2] == (130, signal.SIGTERM)
    assert not (task.folder.path / "seen").exists()


def test_the_threads_are_the_cores_shared_by_the_ranks(stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def note(settings: dict) -> dict[str, str]:
        found.append(settings["num_threads"])
        return dict(os.environ)

    monkeypatch.setattr(child.process, "environment", note)
    for cores, devices, given in ((6, 2, None), (1, 2, None), (6, 2, 5)):
        start = start_of(stubs("0", cores=cores))
        settings = {**start.settings, "devices": devices, "num_threads": given}
        ended: Ended = run_start(child.Start(start.command, start.folder, settings, cores))
        assert ended.code == 0
    assert found == [3, 1, 5]


def test_cores_are_taken_once_while_there_are_free_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "CORE", f"\0test-{os.getpid()}-")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 5, 7, 11})
    with child._cores(2) as first, child._cores(1) as second:
        assert len(first) == 2 and len(second) == 1 and not first & second
        with child._cores(2) as third:  # one is free
            assert len(third) == 2 and third - first - second
        with child._cores(4) as whole:
            assert whole == {2, 5, 7, 11}
    with child._cores(3) as again:
        assert again == {2, 5, 7}


@pytest.mark.parametrize(("name", "backend"), [("slurm", slurm_options), ("ray", ray)])
def test_the_launchers_configuration_names_every_option_with_its_default(name: str, backend) -> None:
    found = yaml.safe_load((LAUNCHERS / f"{name}.yaml").read_text(encoding="utf-8"))
    assert found["backend"] == name
    assert found["options"].keys() == backend.DEFAULTS.keys() == backend.KINDS.keys()
    given, default = (read_options(each, backend.DEFAULTS, backend.KINDS) for each in (found["options"], {}))
    assert given == default
