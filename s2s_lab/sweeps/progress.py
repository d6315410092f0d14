"""How far a running job has come, read from its run folder: from any process, on any machine that sees the folder."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder

TAIL = 4096
"""Bytes at the end of metrics.csv that hold its last row for certain."""


@dataclass(frozen=True)
class Progress:
    """How far a job has come.

    Attributes:
        step: Optimizer steps.
        total_steps: Of the whole training; None before it is known.
        monitor: The score that chooses the checkpoint; empty before the first validation.
        history: (step, value of that score) of each validation.
        higher_is_better: Its direction.
        seconds: Of training so far, at the last validation.
        pace: Seconds of an optimizer step, the mean over the training so far; None before the first are recorded.
    """

    step: int = 0
    total_steps: int | None = None
    monitor: str = ""
    history: tuple[tuple[int, float], ...] = ()
    higher_is_better: bool = True
    seconds: float = 0.0
    pace: float | None = None

    @property
    def best(self) -> float | None:
        """The best value so far."""
        values = [value for _, value in self.history]
        return (max if self.higher_is_better else min)(values, default=None)

    @property
    def share(self) -> float:
        """Of the steps, 0 to 1; 0 while unknown."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0


def progress_of(folder: RunFolder) -> Progress:
    """Reads it; a folder that holds nothing yet, or is being written to, gives what is known.

    Args:
        folder: of a run.
    """
    try:
        facts: dict[str, Any] = folder.read()
    except (RequestError, OSError):
        return Progress()
    validations = facts.get("validations") or {}
    step, seconds = _last_row(folder)
    history = tuple((int(step), float(value)) for step, value in validations.get("history") or [] if value is not None)
    return Progress(
        step=max(int(facts.get("steps") or 0), step),
        total_steps=facts.get("total_steps"),
        monitor=str(validations.get("monitor") or ""),
        history=history,
        higher_is_better=bool(validations.get("higher_is_better", True)),
        seconds=float(facts.get("seconds") or 0.0),
        pace=seconds / step if step else None,
    )


def _last_row(folder: RunFolder) -> tuple[int, float]:
    """The step of the last whole row of metrics.csv, and the seconds until then; 0 while there is none."""
    try:
        with folder.metrics_csv.open("rb") as file:
            heading = next(csv.reader([file.readline().decode()]), [])
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - TAIL))
            rows = file.read().decode(errors="replace").split("\n")
        row = next(csv.reader([rows[-2]]), [])
        return int(float(row[heading.index("step")])), float(row[heading.index("seconds")])
    except (OSError, ValueError, IndexError):
        return 0, 0.0
