"""What makes a model folder trustworthy: no link leads out of it, and its files are those that were written."""

import hashlib
import re
from pathlib import Path

from s2s_lab.faults import RequestError

SUMS = "SHA256SUMS"  # in the form of `sha256sum`, which can check it too
LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\x00\n]+)")


def write_sums(folder: Path) -> None:
    """Writes the sha256 of every file of a model folder."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    text = "".join(f"{_sha256(folder / name)}  {name}\n" for name in names)
    (folder / SUMS).write_text(text, encoding="utf-8")


def check_sums(folder: Path) -> None:
    """Compares the files of a model folder with its SHA256SUMS, where it has one.

    This notices damage and careless changes; who changes a file on purpose can change its sum too.

    Raises:
        RequestError: naming the first file that differs or is gone.
    """
    sums = folder / SUMS
    if not sums.exists():
        return
    for number, line in enumerate(sums.read_bytes().decode("utf-8", errors="replace").splitlines(), start=1):
        match = LINE.fullmatch(line)
        if match is None:
            raise RequestError(f"{sums}, line {number}: expected a sha256 and the name of a file beside it")
        path = folder / match[2]
        if not path.is_file():
            raise RequestError(f"{path}: no such file, but {SUMS} names it")
        found = _sha256(path)
        if found != match[1]:
            raise RequestError(f"{path}: changed since it was written: its sha256 is {found}, {SUMS} says {match[1]}")


def check_links(folder: Path, inside: Path) -> None:
    """Refuses a folder in which a link leads elsewhere, or in which something is neither file nor folder.

    Args:
        folder: whose entries are looked at.
        inside: the folder that the user named: itself, or a run folder above it.

    Raises:
        RequestError: naming the entry.
    """
    inside = inside.resolve()
    for path in (folder, *sorted(folder.iterdir())):
        if not path.resolve().is_relative_to(inside):
            raise RequestError(f"{path}: leads out of the folder, to {path.resolve()}; expected a file of its own")
        if not (path.is_file() or path.is_dir()):
            raise RequestError(f"{path}: neither a file nor a folder")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
