"""What the end of a task came to, and what an engine learns of its jobs before they run."""

import dataclasses
import signal
from pathlib import Path

import pytest

from s2s_lab.sweeps.backends.base import LOST_SERVER, End, Task
from s2s_lab.sweeps.backends.child import CANCELLED, PREEMPTED
from s2s_lab.sweeps.ends import judge_end
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.run_jobs import run_jobs
from tests.sweeps import stubs

ASKED_TO_END = (130, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("code", "reason", "asked", "expected"),
    [
        (1, "", "", "failed"),
        (2, "", "", "refused"),
        (-signal.SIGKILL, "", "", "failed"),
        (-signal.SIGSEGV, "", "", "failed"),
        *((code, "", "", "interrupted") for code in ASKED_TO_END),
        (-signal.SIGTERM, LOST_SERVER, "", "failed"),
        # asked to stop: what fails by itself in that moment has failed all the same
        (1, "", "stopping", "failed"),
        (2, "", "stopping", "refused"),
        (-signal.SIGSEGV, "", "stopping", "failed"),
        *((code, "", "stopping", "stopped") for code in (*ASKED_TO_END, -signal.SIGKILL)),
        # the sweep ends: so do its jobs, at the second request by force
        (1, "", "closing", "failed"),
        *((code, "", "closing", "interrupted") for code in (*ASKED_TO_END, -signal.SIGKILL)),
    ],
)
def test_each_end_has_its_name(tmp_path: Path, code: int, reason: str, asked: str, expected: str) -> None:
    folder = stubs.stub_job(tmp_path, 0).create_folder()
    end = End(Task(folder, 1, 0), code, reason)
    status, told = judge_end(end, stopping=asked == "stopping", closing=asked == "closing")
    assert status == expected and (told or status in ("stopped", "refused"))


def test_jobs_that_use_no_gpu_are_expected_to_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(16)))
    monkeypatch.setattr("s2s_lab.sweeps.engine_settings.gpus_of_machine", lambda: ("0", "1"))
    with Engine(EngineSettings(), total=40) as engine:
        assert engine.settings.jobs_together(40) == 2
        engine.expect([stubs.stub_job(tmp_path, 0)])
        assert engine.settings.jobs_together(40) == 16


@pytest.mark.parametrize("reason", [PREEMPTED, CANCELLED])
def test_a_job_that_came_to_its_end_when_it_was_asked_to_stop_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    backend = stubs.stub_backend()
    wait = backend.wait
    monkeypatch.setattr(backend, "wait", lambda s: [dataclasses.replace(end, reason=reason) for end in wait(s)])
    with Engine(EngineSettings(), total=1, backend=backend) as engine:
        (outcome,) = run_jobs(engine, [stubs.stub_job(tmp_path, 0)])
    assert (outcome.status, outcome.attempts) == ("finished", 1)
