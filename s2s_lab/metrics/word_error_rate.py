"""The rate of edits over the length of the references: word and character (or phone) error rate."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.metrics.base import References, ratio, write_signature
from s2s_lab.metrics.levenshtein import levenshtein
from s2s_lab.metrics.units import UnitMetric, case_field


class WordErrorRate(UnitMetric):
    """Edits over reference length, summed over the corpus; 0 is perfect, above 1 is possible.

    Of several references the nearest counts, the longer one among equally near. References that are empty throughout
    give 0 when nothing was said and 1 otherwise. Statistics: [edits, reference length].

    Args:
        unit: "word" (phones separated by spaces are words) or "character".
        lowercase: Compare lower-cased text.
        name: What the score is called in tables; None for what it is.

    Raises:
        RequestError: Unknown unit.
    """

    kind = "word_error_rate"
    higher_is_better = False

    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """See Metric."""
        return np.array([self._nearest(*pair) for pair in zip(hypotheses, references, strict=True)], dtype=np.float64)

    def _nearest(self, hypothesis: str, accepted: Sequence[str]) -> tuple[int, int]:
        tokens = self.divide(hypothesis)
        wanted = [self.divide(reference) for reference in accepted]
        rows = [(levenshtein(tokens, reference), len(reference)) for reference in wanted]
        return min(rows, key=lambda row: (row[0], -row[1]))

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate."""
        return ratio(summed[..., 0], summed[..., 1], undefined=np.minimum(summed[..., 0], 1.0))

    def signature(self, num_references: int | None = 1) -> str:
        """See Metric."""
        case = case_field(self.lowercase)
        return write_signature(self.kind, num_references, case=case, unit=self.unit, ref="nearest", version="1")
