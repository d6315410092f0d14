"""Rates from repeated counts: tokens a second of a training's curves, medians, and lines of JSON."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from s2s_lab.faults import RunError
from s2s_lab.records.curves import curve, read_curves

LEAST_ROWS = 3  # a rate of fewer windows is no measurement


class TrainingRate(NamedTuple):
    """Speed of a training after its warm-up.

    Attributes:
        tokens_per_s: over the whole measured time.
        tokens_per_s_median: of the windows between two logged rows.
        windows: how many there were.
        seconds: that they lasted together.
    """

    tokens_per_s: float
    tokens_per_s_median: float
    windows: int
    seconds: float


def training_rate(metrics_csv: Path, warm_up: float) -> TrainingRate:
    """Reads the speed of a training from its curves.

    The first row is never counted, nor are rows logged less than `warm_up` seconds after it.

    Args:
        metrics_csv: of the run.
        warm_up: seconds.

    Raises:
        RunError: if fewer than LEAST_ROWS rows are left.
    """
    at, rate = curve(read_curves(metrics_csv), "train/tokens_per_second", over="seconds")
    spans = np.diff(at)
    kept = at[1:] - at[:1] >= warm_up if len(at) else np.zeros(0, bool)
    if np.count_nonzero(kept) < LEAST_ROWS:
        raise RunError(
            f"{np.count_nonzero(kept)} windows were measured after {warm_up:g} s of warm-up, {LEAST_ROWS} at least are "
            "needed: give --seconds more"
        )
    rates, spans = rate[1:][kept], spans[kept]
    return TrainingRate(
        tokens_per_s=float((rates * spans).sum() / spans.sum()),
        tokens_per_s_median=float(np.median(rates)),
        windows=len(rates),
        seconds=float(spans.sum()),
    )


def medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One record from several: the median of every number that all have, every other value from the first."""
    first = rounds[0]
    found = dict(first)
    for key, value in first.items():
        numbers = [record.get(key) for record in rounds]
        if _is_number(value) and all(_is_number(number) for number in numbers):
            found[key] = statistics.median(number for number in numbers if number is not None)
    return found


def json_lines(text: str, needed: Iterable[str]) -> list[dict[str, Any]]:
    """The lines of a program's output that are JSON objects with these keys; all others are left out.

    Raises:
        RunError: if there is none.
    """
    needed = tuple(needed)
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and all(key in value for key in needed):
            found.append(value)
    if not found:
        raise RunError(f"no line of JSON with {', '.join(needed)} was printed")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
