"""Arrays from an .npz file of anybody: no pickle is read, and no more memory taken than the file announces honestly."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from s2s_lab.faults import RequestError

MOST_BYTES = 2**30
"""Of all arrays of a file together, unpacked."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of numbers and texts of an .npz file.

    Args:
        path: As `np.savez_compressed` writes it.

    Raises:
        RequestError: If the file is damaged, too large when unpacked, or holds objects.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > MOST_BYTES:
                raise ValueError(f"{size} bytes when unpacked, expected at most {MOST_BYTES}")
            for member in members:
                found[member.filename.removesuffix(".npy")] = _array(archive, member)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError,
            RuntimeError, OverflowError, SyntaxError, TypeError) as error:  # fmt: skip
        raise RequestError(f"{path}: not a readable file of arrays ({' '.join(str(error).split())})") from None
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Read one array, after looking that its header announces no more than there is."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        count = 1
        for length in shape:
            count *= length
        if dtype.hasobject or count < 0 or count * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename} announces {shape} of {dtype}, which is not what it holds")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
