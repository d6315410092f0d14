"""What a sweep's ledger knows beyond the run folders: jobs that wait, and ends that a killed job could not write."""

import json
from pathlib import Path

from s2s_lab.reports.live.growing import GrowingLines

FILE = "ledger.jsonl"
ENDS = ("finished", "failed", "refused", "interrupted", "stopped")


class LedgerView:
    """One experiment's ledger as far as it was written; lines of another shape and unknown events do not count.

    Args:
        folder: Of the experiment.
        root: The folder that it must lie in, resolved.

    Attributes:
        planned: Hashes of the jobs that its last sweep was to start and has not; None where it did not say.
        ends: Run folder's name -> how its job ended last, and why; only of those that do not run again.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._lines = GrowingLines(folder / FILE, root)
        self.planned: set[str] | None = None
        self.ends: dict[str, tuple[str, str]] = {}

    def read(self) -> None:
        """Read the lines that were not read before."""
        anew, lines = self._lines.read()
        if anew:
            self.planned, self.ends = None, {}
        for line in lines:
            self._apply(line)

    def _apply(self, line: str) -> None:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        job, kind, folder, jobs = (event.get(key) for key in ("job", "event", "folder", "jobs"))
        if kind == "planned" and isinstance(jobs, list):
            self.planned = {each for each in jobs if isinstance(each, str)}
        if not isinstance(job, str):
            return
        if kind in ("started", "ended") and self.planned is not None:
            self.planned.discard(job)
        if kind == "started":
            if isinstance(folder, str):
                self.ends.pop(folder, None)
        elif kind == "ended":
            if isinstance(folder, str) and event.get("status") in ENDS:
                reason = event.get("reason")
                self.ends[folder] = (event["status"], reason[:300] if isinstance(reason, str) else "")
