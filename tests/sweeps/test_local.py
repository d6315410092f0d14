"""Which server of the local backend forks a job."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from s2s_lab.sweeps.backends import local
from s2s_lab.sweeps.backends.base import Task
from s2s_lab.sweeps.backends.local import LocalBackend, warm_early
from s2s_lab.sweeps.leases import Leases
from tests.sweeps import stubs


class Server:
    """A server that notes what it is to fork."""

    started: "ClassVar[list[Server]]"
    alive = True

    def __init__(self, program: object, environment: dict[str, str]) -> None:
        self.environment, self.jobs = environment, list[dict[str, str]]()
        self.started.append(self)

    def start(self, arguments: object, *, environment: dict[str, str], console: object) -> int:
        self.jobs.append(environment)
        return len(self.jobs)


def test_the_early_server_forks_all_jobs_of_its_allocator_whatever_is_set_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "ForkServer", Server)
    monkeypatch.setattr(Server, "started", [], raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    warm_early()
    monkeypatch.setenv("SET_BY_A_LIBRARY", "later")
    backend = LocalBackend(Leases(4))
    for seed, allocator in enumerate(("retain", "default", "retain")):
        job: Any = stubs.stub_job(tmp_path, seed)
        job.settings["trainer"]["allocator"] = allocator
        backend.start(Task(job.create_folder(), 1, 0))
    early, other = Server.started
    assert [len(early.jobs), len(other.jobs)] == [2, 1]
    assert all(own["SET_BY_A_LIBRARY"] == "later" for own in (*early.jobs, *other.jobs))
    assert "GLIBC_TUNABLES" in early.environment and "GLIBC_TUNABLES" not in other.environment
