"""A folder of runs watched: what changed since a reader last looked, at the cost of what changed."""

import hashlib
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.live.growing import GrowingCurves
from s2s_lab.reports.live.ledger import LedgerView
from s2s_lab.reports.live.row import number, read_record, read_settings, row_of, section

MOST_RUNS = 20_000
REST = 0.5
"""Seconds for which the folder is not looked at again."""
PATIENCE = 2.0
"""Seconds that an answer may wait for runs not read before; the others come with the next answers."""

Marks = tuple[tuple[int, int, int] | None, ...]
"""Inode, size and time of change of each file that a row is made of."""


@dataclass
class Watched:
    """One run folder.

    Attributes:
        key: How pages name it: a hash of its path below the folder shown.
        folder: Where it lies.
        experiment: The key of its experiment.
        curves: metrics.csv as far as it was read.
        facts: run.json as last read, unchecked; empty when it cannot be read.
        row: Its line in the table.
        version: Of the table when the row changed last.
    """

    key: str
    folder: RunFolder
    experiment: str
    curves: GrowingCurves
    facts: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] | None = None
    row: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    marks: Marks = ()
    ended: tuple[str, str] | None = None


@dataclass
class Experiment:
    """A folder that holds runs.

    Attributes:
        path: The folder.
        name: Its path below the folder shown.
        ledger: Of its sweep.
        summary: What the page says of it.
        version: Of the table when the summary changed last.
    """

    path: Path
    name: str
    ledger: LedgerView
    summary: dict[str, Any] = field(default_factory=dict)
    version: int = 0


class Watch:
    """All runs of a folder, at any depth; hidden folders and links to folders are not entered.

    Every method may be called by several threads at once.

    Args:
        root: The folder; a run folder shows that run alone.

    Raises:
        RequestError: If there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise RequestError(f"{root}: no such folder; expected a folder of runs, e.g. outputs")
        self.root = root.resolve()
        self.token = secrets.token_hex(4)
        self.version = 0
        self._runs: dict[str, Watched] = {}
        self._experiments: dict[str, Experiment] = {}
        self._gone: dict[str, int] = {}
        self._lock = threading.RLock()
        self._looked = -REST

    def changes(self, since: int = 0) -> dict[str, Any]:
        """Give what changed.

        Args:
            since: The version that the reader knows, 0 for none.

        Returns:
            `version`; `runs` (rows with key and experiment), `experiments` and `gone` (keys), each changed after
            `since`; `unread`, how many runs are still to be read.
        """
        with self._lock:
            self._refresh()
            return {
                "version": self.version,
                "runs": [
                    {"key": run.key, "experiment": run.experiment, **run.row}
                    for run in self._runs.values()
                    if run.version > since
                ],
                "experiments": [
                    {"key": key, "name": clean(item.name), **item.summary}
                    for key, item in self._experiments.items()
                    if item.version > since
                ],
                "unread": sum(not run.row for run in self._runs.values()),
                "gone": [key for key, version in self._gone.items() if version > since] if since else [],
            }

    def run(self, key: str) -> Watched:
        """Give a run by its key.

        Raises:
            RequestError: If the folder shown holds none of that key.
        """
        with self._lock:
            self._refresh()
            if key not in self._runs:
                raise RequestError("no such run here; it may have been removed")
            return self._runs[key]

    def curves(
        self, keys: list[str], name: str, over: str, *, most: int
    ) -> tuple[list[str], set[str], dict[str, dict[str, list[float]]]]:
        """Give a learning curve of some runs, and the names of all their curves.

        Args:
            keys: Of runs; unknown ones do not count.
            name: Of the curve.
            over: The column on the horizontal axis.
            most: Points of each.

        Returns:
            Names in the order of the files; the scores that the runs are chosen by; and for each run's key `x` and `y`.
        """
        with self._lock:
            self._refresh()
            runs = [self._runs[key] for key in keys if key in self._runs]
            names: dict[str, None] = {}
            found = {}
            for run in runs:
                names |= dict.fromkeys(run.curves.columns)
                across, values = run.curves.points(name, over, most=most)
                if values:
                    found[run.key] = {"x": across, "y": values}
            return list(names), {run.row.get("score", "") for run in runs}, found

    def experiment(self, key: str) -> tuple[str, list[Watched]]:
        """Give an experiment's name and those of its runs whose record could be read.

        Raises:
            RequestError: If the folder shown holds none of that key.
        """
        with self._lock:
            self._refresh()
            if key not in self._experiments:
                raise RequestError("no such experiment here; it may have been removed")
            mine = [run for run in self._runs.values() if run.experiment == key]
            runs = [run for run in mine if run.row.get("status", "unreadable") != "unreadable"]
            return self._experiments[key].name, sorted(runs, key=lambda run: run.folder.path)

    def _refresh(self) -> None:
        if time.monotonic() - self._looked < REST:
            return
        fresh = self.version + 1
        found = {key_of(path, self.root): path for path in run_folders(self.root)}
        changed = self._forget(found, fresh)
        for key, path in found.items():
            if key not in self._runs:
                self._add(key, path)
        for item in self._experiments.values():
            item.ledger.read()
        until = time.monotonic() + PATIENCE
        for run in list(self._runs.values()):
            if run.row or time.monotonic() < until:
                changed |= self._look(run, fresh)
        changed |= self._count(fresh)
        self.version = fresh if changed else self.version
        self._looked = time.monotonic()

    def _forget(self, found: dict[str, Path], fresh: int) -> bool:
        lost = [key for key in self._runs if key not in found]
        for key in lost:
            del self._runs[key]
            self._gone[key] = fresh
        for key in found:
            self._gone.pop(key, None)
        for key in set(self._experiments) - {run.experiment for run in self._runs.values()}:
            del self._experiments[key]
            self._gone[key] = fresh
            lost.append(key)
        return bool(lost)

    def _add(self, key: str, path: Path) -> None:
        holder = path.parent if path != self.root else path
        experiment = key_of(holder, self.root)
        if experiment not in self._experiments:
            name = holder.relative_to(self.root).as_posix()
            name = self.root.name if name == "." else name
            self._experiments[experiment] = Experiment(holder, name, LedgerView(holder, self.root))
            self._gone.pop(experiment, None)
        folder = RunFolder(path)
        self._runs[key] = Watched(key, folder, experiment, GrowingCurves(folder.metrics_csv, self.root))

    def _look(self, run: Watched, fresh: int) -> bool:
        """Read a run's files as far as they changed; tells whether its row is another."""
        folder = run.folder
        files = (folder.run_file, folder.metrics_csv, folder.error_file, folder.configuration_file, folder.log_file)
        marks: Marks = tuple(mark(path) for path in files)
        ended = self._experiments[run.experiment].ledger.ends.get(folder.path.name)
        if marks == run.marks and ended == run.ended:
            return False
        before = run.marks or (None,) * len(files)
        run.marks, run.ended = marks, ended
        try:
            if marks[0] != before[0] or not run.facts:
                run.facts = read_record(folder, self.root)
            run.curves.read()
            if marks[3] != before[3]:
                run.settings = None
            if run.settings is None and run.facts.get("status") != "finished":
                run.settings = read_settings(folder, self.root)
            row = row_of(folder, self.root, run.facts, run.curves, settings=run.settings or {}, ended=ended)
        except (RequestError, OSError) as error:
            run.facts = {}
            row = unreadable(folder, str(error))
        row["changed"] = max((item[2] // 10**9 for item in marks if item), default=None)
        if row == run.row:
            return False
        run.row, run.version = row, fresh
        return True

    def _count(self, fresh: int) -> bool:
        """Count the runs of each experiment by status; tells whether a count is another.

        Jobs wait while one runs: those that the ledger names, or else those of the sweep after the last one that runs.
        """
        counts: dict[str, Counter[str]] = {key: Counter() for key in self._experiments}
        waiting: dict[str, list[int]] = {key: [] for key in self._experiments}
        for run in (run for run in self._runs.values() if run.row):
            counts[run.experiment][run.row["status"]] += 1
            if run.row["status"] == "running":
                sweep = section(section(run.settings or {}, "job"), "sweep")
                total, position = number(sweep.get("total")) or 0, number(sweep.get("position")) or 0
                waiting[run.experiment].append(int(min(max(0, total - position), MOST_RUNS)))
        changed = False
        for key, item in self._experiments.items():
            named = item.ledger.planned
            planned = min(waiting[key], default=0) if named is None else len(named) * bool(waiting[key])
            summary = {"counts": dict(counts[key]) | ({"waiting": planned} if planned else {})}
            if summary != item.summary:
                item.summary, item.version, changed = summary, fresh, True
        return changed


def run_folders(root: Path) -> Iterator[Path]:
    """Find the run folders below a folder, at most MOST_RUNS."""
    found = 0
    for folder, below, files in os.walk(root):
        if "run.json" in files:
            below.clear()
            yield Path(folder)
            found += 1
            if found == MOST_RUNS:
                return
        below[:] = sorted(name for name in below if not name.startswith("."))


def key_of(path: Path, root: Path) -> str:
    """Name a folder by a hash of its path below the root, so that no address of the page holds a path."""
    return hashlib.sha256(os.fsencode(path.relative_to(root))).hexdigest()[:16]


def mark(path: Path) -> tuple[int, int, int] | None:
    """Give what tells whether a file changed; None where there is none."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def unreadable(folder: RunFolder, note: str) -> dict[str, Any]:
    """Give the line of a run whose record cannot be read."""
    numbers = ("step", "total", "best", "best_step", "value", "rate", "seconds", "limit")
    texts = ("seed", "group", "score", "started", "ended")
    row = {"name": clean(folder.path.name), "status": "unreadable", "note": clean(note)[:300], "percent": False}
    return row | dict.fromkeys(numbers) | dict.fromkeys(texts, "")


def clean(name: str) -> str:
    """Give a file's name as text that can be sent: bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", errors="replace")
