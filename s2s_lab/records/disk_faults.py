"""Faults of the disk while a run writes: errors that name their file, and one line for a full disk or a lost folder."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2s_lab.faults import RunError

FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
FULL_WORDS = "No space left on device"  # what libraries that raise errors of their own say


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets an error of the operating system name the file that was written; writing itself tells no name.

    Args:
        path: the file that the body writes.

    Raises:
        OSError: the body's own, with `filename`.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def disk_fault(error: BaseException, folder: Path) -> RunError | None:
    """One line for an error that comes of a full disk or of a run folder that is gone.

    Args:
        error: what ended a run; the errors that led to it are looked at too.
        folder: the run folder.

    Returns:
        What to tell, or None for any other error.
    """
    if not (folder / "run.json").is_file():
        return RunError(f"{folder}: the run's folder, or run.json in it, is gone; nothing more can be written")
    place, reason = folder, ""
    for cause in _causes(error):
        number = cause.errno if isinstance(cause, OSError) else None
        if number in FULL or (number is None and FULL_WORDS in str(cause)):
            reason = reason or FULL.get(number or errno.ENOSPC, "")
        if number in FULL and isinstance(cause, OSError) and cause.filename is not None:
            place = Path(str(cause.filename))
    return RunError(f"{place}: {reason}; what was written before is kept in {folder}") if reason else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that led to it, the last one first."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and not any(cause is one for one in seen):
        seen.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__
