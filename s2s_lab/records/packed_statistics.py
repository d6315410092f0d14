"""Statistics of all sentences as a short text: the smallest integers that hold them, compressed."""

import base64
import binascii
import zlib
from typing import Any

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.records.shape import Exactly, check_shape

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")
TYPES = (*INTEGERS, "float64")
SHAPE = Exactly(dtype=str, shape=[int], data=str)
MOST_BYTES = 1 << 30


def pack(statistics: np.ndarray) -> dict[str, Any]:
    """Write statistics without loss.

    Args:
        statistics: (sentences, k) float64.

    Returns:
        `dtype`, `shape` (sentences, k), and `data`: base64 of zlib of the little-endian values, column after column.
    """
    kind = next((kind for kind in INTEGERS if _holds(kind, statistics)), "float64")
    columns = np.ascontiguousarray(statistics.T.astype(np.dtype(kind).newbyteorder("<")))
    data = base64.b64encode(zlib.compress(columns.tobytes(), 9)).decode("ascii")
    return {"dtype": kind, "shape": list(statistics.shape), "data": data}


def unpack(packed: Any, place: str) -> np.ndarray:
    """Read back what `pack` wrote.

    Args:
        packed: as read from a file.
        place: the file and where in it, for messages.

    Returns:
        (sentences, k) float64.

    Raises:
        RequestError: if it is damaged.
    """
    check_shape(packed, SHAPE, place)
    if packed["dtype"] not in TYPES:
        raise RequestError(f"{place}: dtype is {packed['dtype'][:20]!r}, expected one of {', '.join(TYPES)}")
    shape, kind = packed["shape"], np.dtype(packed["dtype"]).newbyteorder("<")
    if len(shape) != 2 or any(not 0 <= size <= MOST_BYTES for size in shape):
        raise RequestError(f"{place}: shape is {str(shape)[:60]}, expected numbers of sentences and of statistics")
    expected = shape[0] * shape[1] * kind.itemsize
    if expected > MOST_BYTES:
        raise RequestError(f"{place}: {expected} bytes of statistics, expected at most {MOST_BYTES}")
    try:
        decompressed = zlib.decompressobj().decompress(base64.b64decode(packed["data"], validate=True), expected + 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise RequestError(f"{place}: the statistics are damaged ({error})") from None
    if len(decompressed) != expected:
        raise RequestError(f"{place}: the statistics are damaged: {expected} bytes are expected")
    found = np.frombuffer(decompressed, dtype=kind).reshape(shape[1], shape[0]).T.astype(np.float64)
    if not np.isfinite(found).all():
        raise RequestError(f"{place}: a statistic is not finite")
    return found


def _holds(kind: str, statistics: np.ndarray) -> bool:
    limits = np.iinfo(kind)
    whole = bool((statistics == np.rint(statistics)).all()) and bool((np.abs(statistics) < 2**53).all())
    return whole and bool((statistics >= limits.min).all() and (statistics <= limits.max).all())
