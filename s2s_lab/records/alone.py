"""Keeps other processes out of a folder for as long as one works there."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from s2s_lab.faults import RequestError


@contextlib.contextmanager
def alone_in(folder: Path, lock: str, refusal: str, *, make: bool = False) -> Iterator[None]:
    """Holds a lock file of a folder while the block lasts.

    The lock ends with the process, however that ends, and is not handed to child processes. Nothing else of this
    process may open the lock file meanwhile: closing it would end the lock.

    Args:
        folder: made when missing, if `make` says so.
        lock: name of the lock file.
        refusal: what is said after the folder's name when another process has it.
        make: whether the folder may be missing.

    Raises:
        RequestError: if another process has it, or the folder is gone or cannot be written to.
    """
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        file = (folder / lock).open("a")
    except OSError as error:
        raise RequestError(f"{folder}: cannot be written to ({error.strerror})") from None
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RequestError(f"{folder}: {refusal}") from None
        yield
