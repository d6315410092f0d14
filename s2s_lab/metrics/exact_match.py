"""The share of hypotheses that equal an accepted reference."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.metrics.base import Metric, References, write_signature
from s2s_lab.metrics.units import case_field, divide


class ExactMatch(Metric):
    """Share of sentences, 0 to 1, whose words equal those of one of their references, in order.

    White space between words is not compared. Statistics: [equal, 1].

    Args:
        lowercase: Compare lower-cased text.
        name: What the score is called in tables.
    """

    kind = "exact_match"
    higher_is_better = True

    def __init__(self, *, lowercase: bool = False, name: str = "exact_match") -> None:
        self.lowercase = lowercase
        self.name = name

    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """See Metric."""
        rows = np.ones((len(hypotheses), 2))
        for row, hypothesis, accepted in zip(rows, hypotheses, references, strict=True):
            words = divide(hypothesis, lowercase=self.lowercase)
            row[0] = any(words == divide(reference, lowercase=self.lowercase) for reference in accepted)
        return rows

    def signature(self, num_references: int | None = 1) -> str:
        """See Metric."""
        return write_signature(self.kind, num_references, case=case_field(self.lowercase), version="1")
