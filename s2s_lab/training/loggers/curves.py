"""Learning curves as metrics.csv in the run folder."""

import csv
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from s2s_lab.records.disk_faults import naming


class CurvesLogger(Logger):
    """One row for each logged step: epoch, step, seconds since the start, then a column for each value, or nothing.

    `step` counts the optimizer steps done, so the first row of a run that logs every 50 steps says 50.

    Rows are appended; the file is written anew when a value is logged for the first time.

    Args:
        path: the file.
    """

    def __init__(self, *, path: Path) -> None:
        super().__init__()
        self.path = path
        self.columns = ["epoch", "step", "seconds"]
        self.began = time.perf_counter()
        self.rows: list[dict[str, Any]] = []
        self.written = 0

    @property
    def name(self) -> str:
        """The logger's name."""
        return "curves"

    @property
    def version(self) -> str:
        """Not used; the run folder tells runs apart."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> "CurvesLogger":
        """The logger itself."""
        return self

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: config.yaml holds the configuration."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds values to the row of a step, which Lightning counts from 0."""
        step = None if step is None else step + 1
        row = self.rows[-1] if self.rows and self.rows[-1]["step"] == step else None
        if row is None or self.written == len(self.rows):
            row = {"step": step, "seconds": round(time.perf_counter() - self.began, 2)}
            self.rows.append(row)
        row.update({name: float(value) for name, value in metrics.items()})
        row["epoch"] = int(row.get("epoch", 0))
        new = [name for name in row if name not in self.columns]
        if new:
            self.columns += new
            self.written = 0

    @rank_zero_only
    def save(self) -> None:
        """Writes the rows that are not on the disk yet; Lightning calls it as often as it flushes."""
        self._write(self.rows[self.written :])

    @rank_zero_only
    def _write(self, rows: list[dict[str, Any]]) -> None:
        anew = self.written == 0
        with naming(self.path), self.path.open("w" if anew else "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            if anew:
                writer.writeheader()
            writer.writerows(rows)
        self.written += len(rows)

    def state_dict(self) -> dict[str, Any]:
        """All rows, how many of them are in the file, the columns, and the seconds since the start."""
        return {
            "rows": [dict(row) for row in self.rows],
            "written": self.written,
            "columns": list(self.columns),
            "seconds": time.perf_counter() - self.began,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from there: rows that the file holds beyond it are dropped."""
        self.rows, self.columns = [dict(row) for row in state["rows"]], list(state["columns"])
        self.began = time.perf_counter() - state["seconds"]
        self.written = 0
        self._write(self.rows[: state["written"]])

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Writes what is left."""
        self.save()
