"""Jobs that the system kills for want of memory."""

from pathlib import Path

import pytest

from s2s_lab.sweeps import engine as engine_module
from s2s_lab.sweeps.backends.base import End
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.run_jobs import run_jobs
from tests.sweeps import stubs


@pytest.mark.parametrize(("kills", "told"), [(1, 1), (2, 2)])
def test_each_job_that_the_system_kills_for_want_of_memory_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int, told: int
) -> None:
    counter = [0]
    monkeypatch.setattr(engine_module, "oom_kills", lambda: counter[0])
    jobs = [stubs.stub_job(tmp_path, seed, fails_at=1, how="killed") for seed in range(2)]
    with Engine(EngineSettings(), total=2, backend=stubs.stub_backend()) as engine:
        counter[0] = kills
        outcomes = run_jobs(engine, jobs)
    assert sum(outcome.out_of_memory for outcome in outcomes) == told


@pytest.mark.parametrize(("reason", "told"), [("rank 1 was killed by signal 9", True), ("rank 1 failed", False)])
def test_a_rank_that_the_system_kills_for_want_of_memory_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, told: bool
) -> None:
    counter = [0]
    monkeypatch.setattr(engine_module, "oom_kills", lambda: counter[0])
    job = stubs.stub_job(tmp_path, 0)
    with Engine(EngineSettings(), total=1, backend=stubs.stub_backend()) as engine:
        engine.start(job)
        (item,) = engine._running.values()
        counter[0] = 1
        engine._conclude(End(item.task, 1, reason))
        (outcome,) = engine.wait(0.0)
    assert outcome.status == "failed" and outcome.out_of_memory == told


def test_what_the_place_of_a_job_has_told_is_not_told_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = [0]
    monkeypatch.setattr(engine_module, "oom_kills", lambda: counter[0])
    with Engine(EngineSettings(), total=1, backend=stubs.stub_backend()) as engine:
        engine.start(stubs.stub_job(tmp_path, 0))
        (item,) = engine._running.values()
        counter[0] = 1
        engine._conclude(End(item.task, -9, "out of memory"))
        (outcome,) = engine.wait(0.0)
    assert outcome.out_of_memory and outcome.reason == "out of memory"
