"""An engine of sweeps in small: one job after the other, in this process."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder, find_runs


@dataclass(frozen=True)
class Outcome:
    job: FrozenJob
    status: str
    folder: RunFolder | None
    reason: str = ""


@dataclass
class FakeEngine:
    """Trains and evaluates each job when it is waited for; a job of `failing` labels fails instead."""

    failing: Sequence[str] = ()
    room: int = 1
    halted: bool = False
    held: list[FrozenJob] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    waiting: list[tuple[FrozenJob, list[dict[str, Any]]]] = field(default_factory=list)

    def __enter__(self) -> "FakeEngine":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def hold(self, jobs: Sequence[FrozenJob]) -> None:
        self.held = list(jobs)

    def announce(self, jobs: Sequence[FrozenJob]) -> None:
        assert self.held == list(jobs)

    def has_room(self) -> bool:
        return len(self.waiting) < self.room

    def start(self, job: FrozenJob, evaluations: Sequence[dict[str, Any]] = ()) -> None:
        self.started.append(job.label)
        self.waiting.append((job, list(evaluations)))

    def running(self) -> list[Any]:
        return [_Running(job) for job, _ in self.waiting]

    def stop(self, job: FrozenJob) -> None:
        self.stopped.append(job.label)

    def wait(self, seconds: float) -> list[Outcome]:
        ended = [self._end(job, evaluations) for job, evaluations in self.waiting]
        self.waiting.clear()
        return ended

    def _end(self, job: FrozenJob, evaluations: Sequence[dict[str, Any]]) -> Outcome:
        if job.label in self.stopped:
            return Outcome(job, "stopped", None)
        if job.label in self.failing:
            return Outcome(job, "failed", None, "the loss is not a number")
        folder = _finished(job) or _train(job)
        _evaluate(folder, evaluations)
        return Outcome(job, "finished", folder)


@dataclass(frozen=True)
class _Running:
    job: FrozenJob


def _finished(job: FrozenJob) -> RunFolder | None:
    runs = find_runs([job.experiment]) if any(job.experiment.glob("*/run.json")) else []
    same = [run for run in runs if run.read()["job_hash"] == job.hash and run.read()["status"] == "finished"]
    return same[0] if same else None


def _train(job: FrozenJob) -> RunFolder:
    from s2s_lab.assemble.experiment import train

    folder = job.create_folder()
    train(folder)
    return folder


def _evaluate(folder: RunFolder, evaluations: Sequence[dict[str, Any]]) -> None:
    from s2s_lab.assemble.grid import evaluate_runs

    for settings in evaluations:
        list(evaluate_runs({**settings, "runs": [str(folder.path)]}))
