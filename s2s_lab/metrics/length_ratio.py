"""How long the outputs are beside their references."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.metrics.base import Metric, References, write_signature
from s2s_lab.metrics.units import divide


class LengthRatio(Metric):
    """Words of all outputs over words of their references, the one of the closest length (the shorter of two) each.

    1 is best; that lower is called better is a convention. Words are divided by spaces. Statistics: [words of the
    output, words of the reference].

    Args:
        name: What the score is called in tables.
    """

    kind = "length_ratio"
    higher_is_better = False

    def __init__(self, *, name: str = "length_ratio") -> None:
        self.name = name

    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """See Metric."""
        rows = np.empty((len(hypotheses), 2))
        for row, hypothesis, accepted in zip(rows, hypotheses, references, strict=True):
            own = len(divide(hypothesis))
            row[:] = own, min((len(divide(line)) for line in accepted), key=lambda other: (abs(other - own), other))
        return rows

    def signature(self, num_references: int | None = 1) -> str:
        """See Metric."""
        return write_signature(self.kind, num_references, ref="closest", unit="word", version="1")
