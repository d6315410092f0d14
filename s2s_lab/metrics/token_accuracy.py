"""The share of words that stand at the right place."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.metrics.base import References, ratio, write_signature
from s2s_lab.metrics.units import UnitMetric, case_field


class TokenAccuracy(UnitMetric):
    """Share, 0 to 1, of positions at which hypothesis and reference have the same word, over the longer of the two.

    Counting the longer one makes words missing and words too many both cost, so that 1 means an exact match of the
    whole corpus. Of several references the one with the highest share counts. Statistics: [equal positions, length
    of the longer].

    Args:
        unit: "word" or "character".
        lowercase: Compare lower-cased text.
        name: What the score is called in tables; None for what it is.

    Raises:
        RequestError: Unknown unit.
    """

    kind = "token_accuracy"
    higher_is_better = True

    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """See Metric."""
        return np.array([self._best(*pair) for pair in zip(hypotheses, references, strict=True)], dtype=np.float64)

    def _best(self, hypothesis: str, accepted: Sequence[str]) -> tuple[int, int]:
        tokens = self.divide(hypothesis)
        rows: list[tuple[int, int]] = []
        for reference in accepted:
            wanted = self.divide(reference)
            equal = sum(token == other for token, other in zip(tokens, wanted, strict=False))
            rows.append((equal, max(len(tokens), len(wanted))))
        return max(rows, key=lambda row: (row[0] / row[1] if row[1] else 1.0, row[1]))

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate; 1 when all hypotheses and references are empty."""
        return ratio(summed[..., 0], summed[..., 1], undefined=1.0)

    def signature(self, num_references: int | None = 1) -> str:
        """See Metric."""
        case = case_field(self.lowercase)
        return write_signature(self.kind, num_references, case=case, unit=self.unit, over="longer", version="1")
