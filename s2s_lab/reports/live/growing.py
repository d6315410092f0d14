"""Files that others append to, read on from where the last reading ended."""

import contextlib
import csv
import math
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from s2s_lab.faults import RequestError
from s2s_lab.reports.live.files import open_inside

MOST_BYTES = 64 * 2**20
"""Of one file; what lies beyond is not read."""
MOST_COLUMNS = 200
KNOWN = 256
"""Bytes before the place reached, and from the beginning, by which a file is known again."""


class GrowingLines:
    """The lines of a text file.

    Args:
        path: The file.
        root: The folder that it must lie in, resolved.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path, self.root = path, root
        self._seen: tuple[int, int, int] | None = None
        self._reached = 0
        self._first = self._last = b""

    def read(self) -> tuple[bool, list[str]]:
        """Read the whole lines that were not read before.

        Returns:
            Whether the file is another one than at the last call, or was written anew, so that earlier lines do not
            count any more; and the lines, without their ends. A missing file has no lines.
        """
        try:
            with open_inside(self.path, self.root) as file:
                facts = os.fstat(file.fileno())
                seen = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
                if seen == self._seen:
                    return False, []
                anew = not self._goes_on(file.fileno(), seen)
                if anew:
                    self._reached = 0
                file.seek(self._reached)
                whole, end, _ = file.read(max(0, MOST_BYTES - self._reached)).rpartition(b"\n")
                self._reached += len(whole) + len(end)
                self._first = os.pread(file.fileno(), min(KNOWN, self._reached), 0)
                start = max(0, self._reached - KNOWN)
                self._last = os.pread(file.fileno(), self._reached - start, start)
                self._seen = seen
        except (RequestError, OSError):
            anew, self._seen, self._reached = self._seen is not None, None, 0
            return anew, []
        text = whole.decode("utf-8", errors="replace")
        return anew, text.replace("\r\n", "\n").split("\n") if end else []

    def _goes_on(self, descriptor: int, seen: tuple[int, int, int]) -> bool:
        if self._seen is None or self._seen[0] != seen[0] or seen[1] < self._reached:
            return False
        start = max(0, self._reached - KNOWN)
        return (
            os.pread(descriptor, len(self._first), 0) == self._first
            and os.pread(descriptor, self._reached - start, start) == self._last
        )


class GrowingCurves:
    """metrics.csv as columns of numbers; of a cell that is none, NaN.

    Args:
        path: The file.
        root: The folder that it must lie in, resolved.

    Attributes:
        columns: Column name -> float64 values, one for each row.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self._lines = GrowingLines(path, root)
        self.columns: dict[str, array[float]] = {}

    def read(self) -> bool:
        """Read the rows that were not read before; tells whether anything changed."""
        anew, lines = self._lines.read()
        if anew:
            self.columns = {}
        rows = [cells for cells in _cells(lines) if cells not in ([], [""])]
        if rows and not self.columns:
            self.columns = {name: array("d") for name in rows.pop(0)[:MOST_COLUMNS]}
        for place, column in enumerate(self.columns.values()):
            column.extend(_number(cells[place]) if place < len(cells) else math.nan for cells in rows)
        return anew or bool(lines)

    def last(self, name: str) -> float | None:
        """Give the last finite number of a column; None when there is none."""
        return next((value for value in reversed(self.columns.get(name, ())) if math.isfinite(value)), None)

    def points(self, name: str, over: str, *, most: int) -> tuple[list[float], list[float]]:
        """Give the points of a curve where both columns hold a finite number, every n-th of many, and the last.

        Args:
            name: The column on the vertical axis.
            over: The column on the horizontal axis.
            most: Points.

        Returns:
            Horizontal and vertical values, equally many.
        """
        pairs = zip(self.columns.get(over, ()), self.columns.get(name, ()), strict=False)
        kept = [pair for pair in pairs if math.isfinite(pair[0]) and math.isfinite(pair[1])]
        if len(kept) > most:
            step = math.ceil((len(kept) - 1) / (most - 1))
            kept = [*kept[:-1:step], kept[-1]]
        return [across for across, _ in kept], [value for _, value in kept]


def _cells(lines: Sequence[str]) -> Iterator[list[str]]:
    for line in lines:
        if '"' not in line:
            yield line.split(",")
            continue
        with contextlib.suppress(csv.Error):
            yield next(csv.reader([line]), [])


def _number(cell: str) -> float:
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        return math.nan
