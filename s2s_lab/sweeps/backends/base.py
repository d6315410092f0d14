"""What every place where jobs run can do: start one, tell which have ended, stop one."""

from dataclasses import dataclass
from typing import Protocol

from s2s_lab.records.run_folder import RunFolder


@dataclass(frozen=True)
class Task:
    """One start of one job.

    Attributes:
        folder: of the run; its config.yaml is written.
        cores: leased to it.
        gpus: leased to it.
        resume: whether to go on from its newest whole checkpoint.
        accept_changed_data: whether to go on although the corpus was changed since.
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
        task: which one.
        code: the exit code of `python -m s2s_lab.job`, or minus the signal that killed it.
        reason: what the backend knows besides, one line: "out of memory", "cancelled", "node failed".
    """

    task: Task
    code: int
    reason: str = ""


class Backend(Protocol):
    """A place where tasks run."""

    def has_room(self) -> bool:
        """Whether another task may be started now."""
        ...

    def start(self, task: Task) -> None:
        """Starts a task, or queues it."""
        ...

    def wait(self, seconds: float) -> list[End]:
        """Waits until a task has ended, at most so long.

        Returns:
            The ends since the last call, each once; empty when the time is over.
        """
        ...

    def stop(self, task: Task) -> None:
        """Asks a task to save its state and to end (SIGTERM); asked again, kills it. `wait` gives its end."""
        ...

    def close(self) -> None:
        """Ends all that still runs, and gives back what the backend holds."""
        ...
