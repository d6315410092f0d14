"""Writing files so that a reader finds the old content or the new, never a half: temporary name, sync, rename."""

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from s2s_lab.faults import RequestError
from s2s_lab.records.disk_faults import naming


def plain(value: Any) -> Any:
    """Turn a value into what strict JSON can hold.

    Args:
        value: Nested mappings, sequences, numbers, texts, paths, numpy scalars and arrays.

    Returns:
        The same in dicts, lists, str, int, float, bool and None; numbers that are not finite become None.

    Raises:
        TypeError: If something else is in it.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return plain(value.tolist())
    raise TypeError(f"cannot be recorded as JSON: {type(value).__name__} {value!r}")


def write_durably(path: Path, write: Callable[[TextIO], object]) -> None:
    """Write a text file (UTF-8, line ends as given) that appears under its name only when it is whole and on the disk.

    Args:
        path: The file to make or to replace.
        write: Receives the open file and writes all of it.

    Raises:
        OSError: If it cannot be written; names the file.
    """
    with naming(path), _appearing(path) as descriptor, os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is whole and on the disk."""
    with naming(path), _appearing(path) as descriptor, os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: Any) -> None:
    """Write strict, readable JSON durably (numbers that are not finite become null)."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_durably(path, lambda file: file.write(text))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        RequestError: If the file is missing or is no JSON; names the file and the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file") from None
    except json.JSONDecodeError as error:
        raise RequestError(f"{path}, line {error.lineno}: not valid JSON ({error.msg})") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not valid UTF-8 at byte {error.start}") from None


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[int]:
    """Give the descriptor of a temporary file, which takes the name at the end; nothing stays after an error."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        yield descriptor
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
