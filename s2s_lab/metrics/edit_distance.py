"""The mean number of edits between hypothesis and nearest reference."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.metrics.base import References, write_signature
from s2s_lab.metrics.levenshtein import levenshtein
from s2s_lab.metrics.units import UnitMetric, case_field


class EditDistance(UnitMetric):
    """Mean number of insertions, deletions and substitutions for each sentence, to its nearest reference.

    Statistics: [edits, 1].

    Args:
        unit: "word" or "character".
        lowercase: Compare lower-cased text.
        name: What the score is called in tables; None for what it is.

    Raises:
        RequestError: Unknown unit.
    """

    kind = "edit_distance"
    higher_is_better = False

    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """See Metric."""
        rows = np.ones((len(hypotheses), 2))
        for row, hypothesis, accepted in zip(rows, hypotheses, references, strict=True):
            tokens = self.divide(hypothesis)
            wanted = [self.divide(reference) for reference in accepted]
            row[0] = min(levenshtein(tokens, reference) for reference in wanted)
        return rows

    def signature(self, num_references: int | None = 1) -> str:
        """See Metric."""
        case = case_field(self.lowercase)
        return write_signature(self.kind, num_references, case=case, unit=self.unit, version="1")
