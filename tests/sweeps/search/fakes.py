"""An engine that trains nothing: runs have known curves, move on at each wait, and outlive crashes of the search."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder

Facts = dict[str, Any]
NEVER: Callable[[dict[str, str]], str] = lambda chosen: ""  # noqa: E731


@dataclass
class Run:
    """A run of a job: how far it is, and whether it has ended."""

    job: FrozenJob
    folder: RunFolder
    validations: int = 0
    finished: bool = False


@dataclass
class World:
    """What is on the disk and in the machines: it stays when a search crashes.

    Attributes:
        outputs: folder of the experiments.
        curve: the validations of a job, from the options and numbers of its words.
        refuses: why a combination cannot be built; empty where it can.
        fails: why a job fails after its first validation; empty where it does not.
        turns_away: why a job is refused by its process; empty where it is not.
        facts: further numbers of run.json.
        announced: how many jobs each process said there were, and how many of them were done.
    """

    outputs: Path
    curve: Callable[[dict[str, str]], list[float]]
    refuses: Callable[[dict[str, str]], str] = NEVER
    fails: Callable[[dict[str, str]], str] = NEVER
    turns_away: Callable[[dict[str, str]], str] = NEVER
    facts: Callable[[dict[str, str]], Facts] = lambda chosen: {}
    max_steps: int = 1000
    jobs_at_once: int = 1
    stops_at_failures: bool = False
    step: int = 100
    runs: dict[str, Run] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    prepared: int = 0
    announced: list[tuple[int, int]] = field(default_factory=list)

    def prepare(self, jobs: Sequence[Sequence[str]]) -> list[FrozenJob]:
        """One job for each list of words, known by its words alone."""
        found = []
        for words in jobs:
            self.prepared += 1
            chosen = chosen_by(words)
            reason = self.refuses(chosen)
            if reason:
                raise RequestError(reason)
            key = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
            settings = {
                "job": {"hash": key, "chosen": chosen},
                "paths": {"outputs": str(self.outputs)},
                "experiment_name": chosen.get("experiment_name", "fake"),
                "metrics": {"monitor": chosen.get("metrics.monitor", "exact_match")},
                "trainer": {"max_steps": self.max_steps},
            }
            found.append(FrozenJob(" ".join(words), settings))
        return found

    @contextmanager
    def open_engine(self, total: int) -> Iterator["FakeEngine"]:
        """An engine of this world; what it leaves running is interrupted, its state saved."""
        yield FakeEngine(self, total)

    def progress_of(self, folder: RunFolder) -> Any:
        """The validations so far."""
        run = next(run for run in self.runs.values() if run.folder.path == folder.path)
        values = self.curve(run.job.settings["job"]["chosen"])[: run.validations]
        return SimpleNamespace(history=[((place + 1) * self.step, value) for place, value in enumerate(values)])


@dataclass
class FakeEngine:
    """Runs the jobs of a world: each wait of some time is that of one validation."""

    world: World
    total: int
    active: list[Run] = field(default_factory=list)
    ended: list[Any] = field(default_factory=list)
    stopping: set[str] = field(default_factory=set)
    halted: bool = False
    expected: int = 0

    def announce(self, jobs: Sequence[FrozenJob], *, done: int) -> None:
        assert jobs and not self.active
        self.world.announced.append((self.total, done))

    def expect(self, jobs: Sequence[FrozenJob]) -> None:
        self.expected = len(jobs)

    def has_room(self) -> bool:
        assert self.expected, "where jobs run depends on what they need"
        return not self.halted and len(self.active) < self.world.jobs_at_once

    def start(self, job: FrozenJob) -> None:
        assert job.hash not in [run.job.hash for run in self.active], "started twice at once"
        if job.hash not in self.world.runs:
            folder = RunFolder.create(job.experiment, job.hash)
            folder.start({"job_hash": job.hash})
            self.world.runs[job.hash] = Run(job, folder)
        run = self.world.runs[job.hash]
        self.world.started.append(job.hash)
        if run.finished:
            self.ended.append(outcome(run, "finished"))
        else:
            self.active.append(run)

    def wait(self, seconds: float) -> list[Any]:
        for run in list(self.active) if seconds else ():
            chosen = run.job.settings["job"]["chosen"]
            curve = self.world.curve(chosen)
            if run.job.hash in self.stopping:
                self._leave(run, "stopped")
                continue
            if self.world.turns_away(chosen):
                self._leave(run, "refused", self.world.turns_away(chosen))
                continue
            run.validations += 1
            if self.world.fails(chosen):
                self._leave(run, "failed", self.world.fails(chosen))
                self.halted = self.world.stops_at_failures
            elif run.validations == len(curve):
                run.finished = True
                self.world.completed.append(run.job.hash)
                best = {"metric": run.job.settings["metrics"]["monitor"], "value": max(curve)}
                run.folder.finish("finished", {"best": best, **self.world.facts(chosen)})
                self._leave(run, "finished")
        ended, self.ended = self.ended, []
        return ended

    def running(self) -> list[Any]:
        return [SimpleNamespace(job=run.job, folder=run.folder) for run in self.active]

    def stop(self, job: FrozenJob) -> None:
        self.stopping.add(job.hash)

    def _leave(self, run: Run, status: str, reason: str = "") -> None:
        self.active.remove(run)
        self.ended.append(outcome(run, status, reason))


def outcome(run: Run, status: str, reason: str = "") -> Any:
    return SimpleNamespace(job=run.job, status=status, folder=run.folder, reason=reason)


def chosen_by(words: Sequence[str]) -> dict[str, str]:
    """Value by key of some words."""
    return {key: value for key, _, value in (word.partition("=") for word in words)}
