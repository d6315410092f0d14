"""What a sweep asks of the place where its jobs run."""

from dataclasses import dataclass
from typing import Protocol

from s2s_lab.records.run_folder import RunFolder

OF_THE_PLACE = ("preempted", "out of time", "node failed")
"""Reasons of an end that the job has nothing to do with: it goes on elsewhere, or later."""

LOST_SERVER = "the process that it was forked from has died"


@dataclass(frozen=True)
class Task:
    """One start of one job.

    Attributes:
        folder: Its run folder, frozen.
        cores: Leased to it.
        gpus: Leased to it.
        resume: Whether it goes on from its newest whole checkpoint.
        accept_changed_data: Whether it does so although the corpus was changed since.
    """

    folder: RunFolder
    cores: int
    gpus: int
    resume: bool = False
    accept_changed_data: bool = False


@dataclass(frozen=True)
class End:
    """How a task ended.

    Attributes:
        task: Which one.
        code: Exit code of `python -m s2s_lab.job`, or minus the signal that killed it.
        reason: One line on what the backend knows besides: out of memory, cancelled, node failed.
    """

    task: Task
    code: int
    reason: str = ""


class Backend(Protocol):
    """A place where jobs run.

    Attributes:
        adopts: Whether jobs outlive a launcher that was killed, and `start` takes up those that still wait or run.
    """

    adopts: bool

    def has_room(self) -> bool:
        """Whether another task would start now rather than wait."""
        ...

    def places(self, cores: int, gpus: int) -> int | None:
        """How many tasks of so many cores and GPUs run at a time, at least one; None where only the place knows."""
        ...

    def start(self, task: Task) -> None:
        """Starts a task, or queues it until there is room."""
        ...

    def wait(self, seconds: float) -> list[End]:
        """The tasks that have ended; returns as soon as one has, at the latest after so many seconds."""
        ...

    def stop(self, task: Task) -> None:
        """Asks a task to save its state and to end (SIGTERM); asked again, kills it."""
        ...

    def close(self) -> None:
        """Ends all that still runs, and frees what the backend holds."""
        ...
