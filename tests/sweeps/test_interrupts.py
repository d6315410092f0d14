"""Ctrl-C at any moment of a sweep: it ends, and what had ended is on record."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps import engine as engine_module
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.interrupts import Interrupts
from s2s_lab.sweeps.ledger import Ledger
from s2s_lab.sweeps.run_jobs import run_jobs
from tests.sweeps import stubs


def interrupting(function: Callable[..., Any], number: signal.Signals) -> Callable[..., Any]:
    """The function, whose first call is interrupted in its midst."""
    calls: list[None] = []

    def called(*arguments: Any, **named: Any) -> Any:
        calls.append(None)
        if len(calls) == 1:
            os.kill(os.getpid(), number)
        return function(*arguments, **named)

    return called


def statuses(outputs: Path) -> list[str]:
    return [entry.status for entry in Ledger(outputs / "stubs").read().values()]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """SIGINT as in a shell's foreground."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_saves_all_that_runs(tmp_path: Path, number: signal.Signals) -> None:
    jobs = [stubs.stub_job(tmp_path, seed, steps=400, pause=0.02) for seed in range(2)]
    timer = threading.Timer(1.5, os.kill, (os.getpid(), number))
    timer.start()
    with pytest.raises(KeyboardInterrupt), Engine(EngineSettings(), total=2, backend=stubs.stub_backend()) as engine:
        run_jobs(engine, jobs)
    timer.join()
    assert statuses(tmp_path) == ["interrupted", "interrupted"]
    runs = [RunFolder(path.parent) for path in (tmp_path / "stubs").glob("*/run.json")]
    assert [run.read()["status"] for run in runs] == ["interrupted", "interrupted"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_an_end_is_written_down_loses_no_other_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(engine_module, "best_of", interrupting(engine_module.best_of, number))
    jobs = [stubs.stub_job(tmp_path, seed) for seed in range(2)]
    backend = stubs.stub_backend()
    wait = backend.wait
    ends: list[Any] = []

    def both(seconds: float) -> list[Any]:
        ends.extend(wait(seconds))
        return [ends.pop() for _ in range(2)] if len(ends) == 2 else []

    monkeypatch.setattr(backend, "wait", both)
    with (
        pytest.raises(KeyboardInterrupt),
        Engine(EngineSettings(cores_per_job=1), total=2, backend=backend) as engine,
    ):
        run_jobs(engine, jobs)
    assert statuses(tmp_path) == ["finished", "finished"]


def test_an_interrupt_while_a_job_starts_leaves_none_that_is_waited_for_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "started", interrupting(Ledger.started, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), Engine(EngineSettings(), total=1, backend=stubs.stub_backend()) as engine:
        run_jobs(engine, [stubs.stub_job(tmp_path, 0, steps=400, pause=0.02)])
    assert statuses(tmp_path) == ["interrupted"]


def test_jobs_killed_by_a_second_interrupt_are_interrupted_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = stubs.stub_job(tmp_path, 0, steps=400, pause=0.02)
    backend = stubs.stub_backend()
    stop = backend.stop
    monkeypatch.setattr(backend, "stop", lambda task: (stop(task), stop(task)))  # asked twice, it is killed
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), Engine(EngineSettings(), total=1, backend=backend) as engine:
        run_jobs(engine, [job])
    assert statuses(tmp_path) == ["interrupted"]


def test_what_is_within_comes_to_its_end_and_the_interrupt_after_it() -> None:
    done = []
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        with interrupts.held_back():
            with interrupts.held_back():
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]
    with pytest.raises(KeyboardInterrupt):  # as before
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def test_an_ignored_interrupt_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
