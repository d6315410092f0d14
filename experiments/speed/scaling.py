"""The sizes that growth is measured against, and the exponents fitted to what was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# What a point is made of where its dimension says nothing else. Decoded outputs have exactly `target_length` symbols.
BASE: dict[str, int] = {
    "batch": 128, "hidden": 512, "source_length": 12, "target_length": 12, "vocabulary": 8_000, "beam": 1,
}  # fmt: skip
DIMENSIONS: dict[str, tuple[int, ...]] = {
    "batch": (8, 16, 32, 64, 128, 256, 512),
    "hidden": (64, 128, 256, 512, 1024, 2048),
    "source_length": (6, 12, 25, 50, 100, 200, 400),
    "vocabulary": (1_000, 2_000, 5_000, 10_000, 20_000, 50_000),
    "beam": (1, 2, 5, 10, 20, 50, 100),
    "pairs": (10_000, 100_000, 1_000_000, 10_000_000),
}
BATCHES = {"source_length": 32, "beam": 16}  # smaller ones, so that the largest points fit into memory
KINDS = {"beam": ("decode",)}  # of all others: a training step and decoding


def exponents(rows: Sequence[Mapping[str, Any]], cost: str = "seconds") -> dict[tuple[str, str], float]:
    """The fitted exponent of each curve, by dimension and kind; curves of fewer than two points have none."""
    curves: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        curves.setdefault((row["dimension"], row["kind"]), []).append((row["value"], row[cost]))
    return {key: exponent(*zip(*points, strict=True)) for key, points in curves.items() if len(points) > 1}


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent e of cost = c x size ** e, by least squares of logarithms over the upper half of the range.

    Below, costs that do not grow at all would hide it. The upper half begins at the geometric mean of the smallest and
    the largest size; two points at least are taken.

    Args:
        sizes: (points,), above 0.
        costs: (points,), above 0.
    """
    order = np.argsort(sizes)
    x, y = (np.log(np.asarray(values, float)[order]) for values in (sizes, costs))
    start = min(int(np.searchsorted(x, (x[0] + x[-1]) / 2 - 1e-9)), len(x) - 2)
    return float(np.polyfit(x[start:], y[start:], 1)[0])
