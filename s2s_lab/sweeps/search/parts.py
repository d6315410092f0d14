"""What a search needs of the rest: jobs from words, an engine that runs them, and how far they are."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder


class Ended(Protocol):
    """How one job ended."""

    @property
    def job(self) -> FrozenJob:
        """What was to be trained."""
        ...

    @property
    def status(self) -> str:
        """Finished, failed, refused, interrupted or stopped."""
        ...

    @property
    def folder(self) -> RunFolder | None:
        """Its run folder, where it has one."""
        ...

    @property
    def reason(self) -> str:
        """Why, in one line."""
        ...


class Running(Protocol):
    """One job that runs now."""

    @property
    def job(self) -> FrozenJob:
        """What was to be trained."""
        ...

    @property
    def folder(self) -> RunFolder:
        """Its run folder."""
        ...


class Runner(Protocol):
    """Runs jobs, each of them to its end once."""

    @property
    def halted(self) -> bool:
        """Whether a failure ended the sweep, so that nothing starts any more."""
        ...

    def expect(self, jobs: Sequence[FrozenJob]) -> None:
        """Learns of some of the jobs before there is room for one."""
        ...

    def announce(self, jobs: Sequence[FrozenJob], *, done: int) -> None:
        """Says what is about to happen: jobs like these, of which so many are done."""
        ...

    def has_room(self) -> bool:
        """Whether another job can start now."""
        ...

    def start(self, job: FrozenJob) -> None:
        """Starts a job, or goes on with it; one that is finished ends at once."""
        ...

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Jobs that have ended; returns as soon as one has."""
        ...

    def running(self) -> Sequence[Running]:
        """What runs now."""
        ...

    def stop(self, job: FrozenJob) -> None:
        """Ends one job early, its state saved."""
        ...


class Progress(Protocol):
    """How far a run is."""

    @property
    def history(self) -> Sequence[tuple[int, float]]:
        """Optimizer step and monitored value of each validation."""
        ...


Prepare = Callable[[Sequence[Sequence[str]]], Sequence[FrozenJob]]
"""Composes, checks and freezes one job for each list of words; RequestError where one cannot be built."""
OpenEngine = Callable[[int], AbstractContextManager[Any]]
"""Opens the engine for so many jobs in all."""
ProgressOf = Callable[[RunFolder], Progress]
HigherIsBetter = Callable[[dict[str, Any]], bool]
"""Whether the monitored score of a job's settings is better when it is higher."""
