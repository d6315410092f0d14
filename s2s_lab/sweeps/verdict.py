"""How a job ended, from the ends of its ranks: what its record says, and what is raised."""

import signal
from collections.abc import Sequence
from pathlib import Path

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.ranks import LOST, End

INTERRUPTED = 128 + signal.SIGINT


def judge(folder: RunFolder, ended: Sequence[End], *, stopped: bool) -> None:
    """Completes the record of a job whose processes could not do it, and raises what the job came to.

    Args:
        folder: of the run.
        ended: the ends of all ranks, first to last.
        stopped: whether the job was asked to stop.

    Raises:
        RequestError: if the job was refused.
        RunError: if it failed; the message names the rank that failed first, and why.
        KeyboardInterrupt: if it was interrupted.
    """
    faults = [end for end in ended if end.code != 0 and not end.forced]
    if stopped or any(end.code == INTERRUPTED for end in faults):
        forced = [str(end.rank) for end in ended if end.forced]
        kept = f"; rank {', '.join(forced)} did not end in time and was killed" if forced else ""
        record_end(folder, "interrupted", f"interrupted{kept}")
        raise KeyboardInterrupt
    if not faults:
        return
    first = next((end for end in faults if end.code != LOST), faults[0])
    early = [end for end in ended[: ended.index(first)] if end.code == 0]
    if first.code == LOST and early:
        first = early[0]
    if first.code == 2:
        refused = RequestError(f"the job was refused; its folder is {folder.path}")
        refused.told = True
        raise refused
    reason = _reason(folder, first, alone=len(ended) == 1)
    record_end(folder, "failed", reason, on_top=first.rank > 0)
    failed = RunError(f"the job failed ({reason}); see {folder.error_file} and {log_file(folder, first.rank)}")
    failed.told = first.code == 1 and len(ended) == 1
    raise failed


def log_file(folder: RunFolder, rank: int) -> Path:
    """Where a rank logs."""
    return folder.log_file if rank == 0 else folder.log_file.with_name(f"log-rank{rank}.txt")


def error_file(folder: RunFolder, rank: int) -> Path:
    """Where a rank says why it failed."""
    return folder.error_file if rank == 0 else folder.error_file.with_name(f"error-rank{rank}.txt")


def _reason(folder: RunFolder, end: End, *, alone: bool) -> str:
    if end.code < 0:
        how = f"killed by signal {-end.code}"
        return how if alone else f"rank {end.rank} was {how}"
    if alone:
        return f"exit code {end.code}"
    said = error_file(folder, end.rank)
    lines = said.read_text(encoding="utf-8").strip().splitlines() if said.is_file() else []
    if end.code == 1 and lines:
        return f"rank {end.rank}: {lines[-1]}"
    return f"rank {end.rank} ended " + (f"with exit code {end.code}" if end.code else "before the others")


def record_end(folder: RunFolder, status: str, reason: str, *, on_top: bool = False) -> None:
    """Writes what the job itself did not: its end, and the reason above what other ranks have said.

    Args:
        folder: of the run.
        status: failed or interrupted.
        reason: one line.
        on_top: whether the reason is written although the job has recorded its end.
    """
    if not folder.run_file.is_file():
        return
    running = folder.read()["status"] == "running"
    if running or on_top:
        said = folder.error_file.read_text(encoding="utf-8") if folder.error_file.is_file() else ""
        folder.error_file.write_text(f"{reason}\n{said}", encoding="utf-8")
    if running:
        folder.finish(status)
