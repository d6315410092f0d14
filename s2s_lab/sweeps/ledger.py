"""The ledger of an experiment: one append-only file that says which jobs were started where, and how they ended.

A job is known by the hash of its configuration without its folder, so that the same command finds what it has done.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from s2s_lab.faults import RequestError
from s2s_lab.records.alone import alone_in
from s2s_lab.records.durable import parse_json, plain
from s2s_lab.records.run_files import path_part
from s2s_lab.records.run_folder import utc_now
from s2s_lab.records.shape import Maybe, check_shape

FILE = "ledger.jsonl"
EVENTS = ("started", "ended")
SHAPE = Maybe(event=str, job=str, label=str, folder=str, status=str, reason=str, time=str, value=(int, float))
"""What is relied on in a line; others may be there."""


@dataclass
class Entry:
    """What is known of one job.

    Attributes:
        job: Its hash.
        label: What the user calls it.
        folder: Name of its run folder.
        status: running (started, and no end is known), or how it ended last.
        value: Of the monitored score at its best, once it finished.
        finishes: How often it ran to its end.
        starts: How often it was started.
    """

    job: str
    label: str
    folder: str
    status: str = "running"
    value: float | None = None
    finishes: int = 0
    starts: int = 0


class Ledger:
    """One experiment's ledger; every line is written with one call and synced before anything follows from it.

    Args:
        folder: of the experiment.

    Attributes:
        path: The file.
        entries: What is known, by job hash.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / FILE
        self.entries: dict[str, Entry] = {}
        self._file: BinaryIO | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator["Ledger"]:
        """Keeps other sweeps from this experiment while the block lasts, and reads what the ledger holds.

        Raises:
            RequestError: if another sweep runs there, or the folder cannot be written to.
        """
        refusal = "another sweep is running there; wait for it, or choose another experiment_name"
        with alone_in(self.folder, ".ledger.lock", refusal, make=True), self._opened() as file:
            self._file = file
            _mend(file)
            self.read()
            try:
                yield self
            finally:
                self._file = None

    def read(self) -> dict[str, Entry]:
        """Reads all entries; a last line that was cut short by a crash does not count.

        Raises:
            RequestError: naming the line that is none.
        """
        self.entries = {}
        if not self.path.is_file():
            return self.entries
        whole, _, _ = self.path.read_bytes().rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if whole else [], start=1):
            place = f"{self.path}, line {number}"
            event = parse_json(line.decode("utf-8", errors="replace"), place)
            check_shape(event, SHAPE, place)
            self._apply(event)
        return self.entries

    def planned(self, jobs: Sequence[str]) -> None:
        """Writes which jobs, by their hashes, a sweep is about to start or to go on with."""
        self._append({"event": "planned", "jobs": list(jobs)})

    def started(self, *, job: str, label: str, folder: Path, resume: bool) -> None:
        """Writes that a job starts."""
        self._append({"event": "started", "job": job, "label": label, "folder": folder.name, "resume": resume})

    def ended(self, *, job: str, status: str, reason: str = "", value: float | None = None) -> None:
        """Writes how a job ended.

        Args:
            job: its hash.
            status: finished, failed, refused, interrupted or stopped.
            reason: one line.
            value: of the monitored score at its best.
        """
        entry = self.entries[job]
        facts = {"event": "ended", "job": job, "label": entry.label, "folder": entry.folder, "status": status}
        self._append({**facts, "value": value} | ({"reason": reason} if reason else {}))

    def folder_of(self, job: str) -> Path | None:
        """The run folder in which a job was started last; None when it never was, or the folder is gone."""
        entry = self.entries.get(job)
        path = self.folder / entry.folder if entry else None
        return path if path is not None and path.is_dir() else None

    def summary(self) -> list[tuple[str, str, str, float | None, int]]:
        """What does not depend on when and how often the sweep was disturbed.

        Returns:
            (job, label, status, value, times that it ran to its end) of every job, sorted.
        """
        return sorted((item.job, item.label, item.status, item.value, item.finishes) for item in self.entries.values())

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("a+b")
        except OSError as error:
            raise RequestError(f"{self.path}: cannot be written to ({error.strerror})") from None

    def _append(self, event: Mapping[str, Any]) -> None:
        assert self._file is not None, "the ledger is written to while it is held"
        line = json.dumps(plain({**event, "time": utc_now()}), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RequestError(f"{self.path}: cannot be written to ({error.strerror})") from None
        self._apply(event)

    def _apply(self, event: Mapping[str, Any]) -> None:
        if event.get("event") not in EVENTS or not event.get("job"):
            return  # of a later version
        job, folder = str(event["job"]), path_part(str(event.get("folder")))
        entry = self.entries.setdefault(job, Entry(job, str(event.get("label")), folder))
        entry.folder = folder
        if event["event"] == "started":
            entry.status, entry.starts = "running", entry.starts + 1
            return
        entry.status, entry.value = str(event.get("status")), event.get("value")
        entry.finishes += entry.status == "finished"


def _mend(file: BinaryIO) -> None:
    """Takes away a last line that was cut short."""
    file.seek(0)
    text = file.read()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        file.truncate(whole)
