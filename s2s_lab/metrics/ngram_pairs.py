"""Shared n-grams of every pair among many lines, each line's n-grams being counted once."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np

KEPT_LINES = 4096  # whose n-grams are remembered; then all are forgotten

Counts = tuple[Counter[Hashable], ...]
"""For each order, how often a line has each n-gram."""


class NgramPairs:
    """Counts n-grams of lines, and what any two of them share.

    Args:
        count: gives the n-grams of a line.
    """

    def __init__(self, count: Callable[[str], Counts]) -> None:
        self._count = count
        self._known: dict[str, Counts] = {}

    def totals(self, lines: Sequence[str]) -> np.ndarray:
        """Count the n-grams of each line: (lines, orders) float64."""
        return np.array([[sum(order.values()) for order in self._of(line)] for line in lines], dtype=np.float64)

    def shared(self, left: Sequence[str], right: Sequence[str]) -> np.ndarray:
        """Count the n-grams of each pair, each as often as both lines have it: (left, right, orders) float64.

        The t-th occurrence of an n-gram in a line is a column of its own; lines share an n-gram min(a, b) times, which
        is how many of these columns they share: a product of matrices of zeros and ones, exact in float32.
        """
        lines = list(dict.fromkeys((*left, *right)))
        rows = {line: row for row, line in enumerate(lines)}
        by_line = [self._of(line) for line in lines]
        chosen = [[rows[line] for line in side] for side in (left, right)]
        orders = []
        for counters in zip(*by_line, strict=True):
            present = _occurrences(counters)
            orders.append(present[chosen[0]] @ present[chosen[1]].T)
        return np.stack(orders, axis=-1).astype(np.float64)

    def _of(self, line: str) -> Counts:
        found = self._known.get(line)
        if found is None:
            if len(self._known) >= KEPT_LINES:
                self._known.clear()
            found = self._known[line] = self._count(line)
        return found


def _occurrences(counters: Sequence[Counter[Hashable]]) -> np.ndarray:
    """Mark which occurrences of n-grams each line has: (lines, occurrences) float32 of zeros and ones."""
    columns: dict[Hashable, int] = {}
    rows, places = [], []
    for row, counter in enumerate(counters):
        for gram, count in counter.items():
            for time in range(count):
                rows.append(row)
                places.append(columns.setdefault((gram, time), len(columns)))
    present = np.zeros((len(counters), len(columns)), dtype=np.float32)
    present[rows, places] = 1.0
    return present
