"""How a job of a sweep ended."""

from dataclasses import dataclass
from typing import Literal

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder

Status = Literal["finished", "failed", "refused", "interrupted", "stopped"]


@dataclass(frozen=True)
class Outcome:
    """The end of one job.

    Attributes:
        job: Which one.
        status: `refused` by its own checks; `interrupted` by a signal, to be resumed; `stopped` because the sweep asked
            for it (a pruned trial), with its state saved.
        folder: Its run folder; None when none could be made.
        reason: One line, empty when it finished.
        out_of_memory: Whether memory was what it lacked.
        attempts: How often it was started in this sweep; 0 when it had finished before.
    """

    job: FrozenJob
    status: Status
    folder: RunFolder | None
    reason: str = ""
    out_of_memory: bool = False
    attempts: int = 1
