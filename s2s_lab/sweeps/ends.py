"""What the end of a task came to: read from its exit code, its run folder, and what the system says of its memory."""

import re
import signal
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.backends.base import LOST_SERVER, End
from s2s_lab.sweeps.outcome import Status
from s2s_lab.sweeps.progress import progress_of
from s2s_lab.sweeps.verdict import INTERRUPTED

MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|bad_alloc|MemoryError", re.IGNORECASE)
OOM_COUNTER = Path("/proc/vmstat")
MOST_OF_A_LINE = 400  # characters


def judge_end(end: End, *, stopping: bool, closing: bool = False) -> tuple[Status, str]:
    """Tells how a job ended, and why in one line.

    Args:
        end: of its task.
        stopping: whether the sweep had asked it to stop.
        closing: whether the sweep is ending, and asks all jobs to.
    """
    folder = end.task.folder
    said = end.reason or _last_line(folder)
    if end.code == 0:
        unfinished = facts_of(folder).get("status") != "finished"
        return ("failed", "its process ended without a result") if unfinished else ("finished", "")
    asked = end.code in (INTERRUPTED, -signal.SIGTERM, *([-signal.SIGKILL] if stopping or closing else ()))
    if stopping and asked:
        return "stopped", ""
    if asked and end.reason != LOST_SERVER:
        return "interrupted", end.reason or "interrupted"
    if end.code == 2:
        return "refused", said
    if end.code < 0:
        return "failed", end.reason or f"killed by signal {-end.code}"
    return "failed", said or f"exit code {end.code}"


def facts_of(folder: RunFolder) -> dict[str, Any]:
    """run.json; nothing where somebody has taken the folder away."""
    try:
        return folder.read()
    except (RequestError, OSError):
        return {}


def best_of(folder: RunFolder) -> float | None:
    """The monitored score at its best."""
    value = (facts_of(folder).get("best") or {}).get("value")
    return value if isinstance(value, int | float) else progress_of(folder).best


def oom_kills() -> int:
    """How many processes the system has killed for want of memory since it started."""
    try:
        found = re.search(r"^oom_kill (\d+)", OOM_COUNTER.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _last_line(folder: RunFolder) -> str:
    try:
        lines = folder.error_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:MOST_OF_A_LINE] if lines else ""
