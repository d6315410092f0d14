"""The share of hypotheses that equal none of their accepted references."""

import numpy as np

from s2s_lab.metrics.base import write_signature
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.units import case_field


class SentenceErrorRate(ExactMatch):
    """1 - exact match, 0 to 1: of words spelt in letters or phones it is the word error rate.

    Statistics: [equal, 1], those of ExactMatch.

    Args:
        lowercase: Compare lower-cased text.
        name: What the score is called in tables.
    """

    kind = "sentence_error_rate"
    higher_is_better = False

    def __init__(self, *, lowercase: bool = False, name: str = "sentence_error_rate") -> None:
        super().__init__(lowercase=lowercase, name=name)

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate."""
        return 1.0 - super().aggregate(summed)

    def signature(self, num_references: int | None = 1) -> str:
        """See Metric."""
        return write_signature(self.kind, num_references, case=case_field(self.lowercase), ref="any", version="1")
