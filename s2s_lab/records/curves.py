"""Learning curves: metrics.csv read as columns of numbers."""

import csv
import io
from pathlib import Path

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_text


def read_curves(path: Path) -> dict[str, np.ndarray]:
    """Read the learning curves of a run.

    Args:
        path: metrics.csv: a header, then one row for each logged step; cells are empty where nothing was logged.

    Returns:
        Column name -> float64 values (rows,), NaN where the cell is empty; no columns when the file is missing or empty
        (a run that has not logged yet).

    Raises:
        RequestError: If a cell is no number; names file, line and column.
    """
    if not path.is_file():
        return {}
    try:
        rows = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:
        raise RequestError(f"{path}: not a table of comma-separated values ({error})") from None
    if not rows:
        return {}
    header, body = rows[0], rows[1:]
    columns = {name: np.full(len(body), np.nan) for name in header}
    for number, row in enumerate(body):
        for name, cell in zip(header, row, strict=False):
            if cell == "":
                continue
            try:
                columns[name][number] = float(cell)
            except ValueError:
                raise RequestError(f"{path}, line {number + 2}: {name} is {cell!r}, expected a number") from None
    return columns


def curve(columns: dict[str, np.ndarray], value: str, over: str = "step") -> tuple[np.ndarray, np.ndarray]:
    """Give the points of one curve, where both columns hold a finite number.

    Args:
        columns: From `read_curves`.
        value: The column on the vertical axis.
        over: The column on the horizontal axis.

    Returns:
        (horizontal, vertical), each (points,); empty when a column is missing.
    """
    if value not in columns or over not in columns:
        return np.empty(0), np.empty(0)
    known = np.isfinite(columns[value]) & np.isfinite(columns[over])
    return columns[over][known], columns[value][known]
