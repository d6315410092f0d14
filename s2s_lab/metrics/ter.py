"""Translation edit rate by sacrebleu, its arithmetic vectorised over resamples."""

from typing import TYPE_CHECKING

import numpy as np

from s2s_lab.metrics.base import ratio
from s2s_lab.metrics.sacrebleu_statistics import SacrebleuMetric

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuScorer


class TER(SacrebleuMetric):
    """Edits with shifts of phrases over the mean reference length, in percent; lower is better, above 100 is possible.

    Paper: Snover et al., 2006, AMTA. Statistics: [fewest edits, mean length of the references].

    Args:
        lowercase: Compare lower-cased text, Tercom's default.
        normalized: Tercom's normalisation of characters and punctuation.
        no_punct: Leave out punctuation.
        asian_support: Treat Asian characters one by one when normalising.
        name: What the score is called in tables.
    """

    kind = "TER"
    higher_is_better = False
    num_statistics = 2

    def __init__(
        self,
        *,
        lowercase: bool = True,
        normalized: bool = False,
        no_punct: bool = False,
        asian_support: bool = False,
        name: str = "ter",
    ) -> None:
        self.lowercase = lowercase
        self.normalized = normalized
        self.no_punct = no_punct
        self.asian_support = asian_support
        self.name = name

    def scorer(self) -> "SacrebleuScorer":
        """See SacrebleuMetric."""
        import sacrebleu.metrics.ter

        return sacrebleu.metrics.ter.TER(
            normalized=self.normalized,
            no_punct=self.no_punct,
            asian_support=self.asian_support,
            case_sensitive=not self.lowercase,
        )

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate; when all references are empty, 0 for empty hypotheses and 100 otherwise."""
        summed = np.asarray(summed, dtype=np.float64)
        edits, length = summed[..., 0], summed[..., 1]
        return 100.0 * ratio(edits, length, undefined=np.where(edits > 0, 1.0, 0.0))
