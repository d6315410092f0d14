"""Files of anybody, read in part: only regular ones that lie in the folder shown, and never more than was asked for."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from s2s_lab.faults import RequestError


def open_inside(path: Path, root: Path) -> BinaryIO:
    """Open a file that lies in a folder, links followed.

    Args:
        path: The file.
        root: The folder, resolved.

    Raises:
        RequestError: If it is missing, unreadable, no regular file, or reached by a link that leads out.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root):
            raise RequestError(f"{path.name}: a link leads out of the folder shown")
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)  # a pipe would be waited for
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle
        if isinstance(error, RequestError):
            raise
        reason = getattr(error, "strerror", None) or "cannot be opened"
        raise RequestError(f"{path.name}: {reason[0].lower()}{reason[1:]}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RequestError(f"{path.name}: not a regular file")
    return os.fdopen(descriptor, "rb")


def read_inside(path: Path, root: Path, *, most: int) -> bytes:
    """Read a whole file.

    Args:
        path: The file.
        root: The folder that it must lie in, resolved.
        most: Bytes it may have.

    Raises:
        RequestError: If it cannot be opened, or is larger.
    """
    with open_inside(path, root) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise RequestError(f"{path.name}: more than {most:,} bytes")
    return found


def check_inside(path: Path, root: Path, *, most: int) -> None:
    """Check that a file may be read.

    Raises:
        RequestError: If it cannot be opened, or is larger than so many bytes.
    """
    with open_inside(path, root) as file:
        size = os.fstat(file.fileno()).st_size
    if size > most:
        raise RequestError(f"{path.name}: {size:,} bytes, expected at most {most:,}")


def leads_out(folder: Path, root: Path) -> bool:
    """Tell whether a link in a folder, or below it, leads out of another one."""
    for place, below, files in os.walk(folder):
        for name in (*below, *files):
            path = Path(place, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                return True
    return False


def tail(path: Path, root: Path, *, most: int, start: int | None = None) -> tuple[str, int, int]:
    """Read the end of a text file.

    Args:
        path: The file.
        root: The folder that it must lie in, resolved.
        most: Bytes read.
        start: Where an earlier call ended; the last `most` bytes are read where None, or where the file is shorter.

    Returns:
        The text, the place where it begins in the file, and the place where the next call goes on; both in bytes.

    Raises:
        RequestError: If it cannot be opened.
    """
    with open_inside(path, root) as file:
        size = os.fstat(file.fileno()).st_size
        goes_on = start is not None and 0 <= start <= size and size - start <= most
        begin = start if goes_on and start is not None else max(0, size - most)
        file.seek(begin)
        found = file.read(min(most, size - begin))
    end = begin + len(found)
    if not goes_on and begin > 0:  # from the first whole line
        cut = found.find(b"\n") + 1
        begin, found = begin + cut, found[cut:]
    if not found.endswith(b"\n"):  # a character may be cut; what follows the last whole one comes with the next call
        for back in range(1, min(4, len(found)) + 1):
            lead = found[-back]
            if lead >= 0xC0:
                width = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
                if width > back:
                    found, end = found[:-back], end - back
                break
            if lead < 0x80:
                break
    return found.decode("utf-8", errors="replace"), begin, end


def last_line(path: Path, root: Path, *, most: int = 300) -> str:
    """Read the last line of a text file that is not blank; empty when there is none, or it cannot be read.

    Args:
        path: The file.
        root: The folder that it must lie in, resolved.
        most: Characters given.
    """
    try:
        text, _, _ = tail(path, root, most=8192)
    except (RequestError, OSError):
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:most] if lines else ""
