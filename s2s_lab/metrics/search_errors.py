"""The share of sentences whose reference the model finds more probable than what the search gave."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate, Score, signature_fields, signature_kind

MARGIN = 0.01  # natural log units; what decoding step by step may differ by from scoring in one go


class SearchErrors(Aggregate):
    """Share of sentences, 0 to 1, where a better output than the one found is known: the reference.

    There the search erred; every other wrong output is one that the model prefers to the reference. Statistics:
    [errors, 1].

    Paper: Stahlberg and Byrne 2019, arXiv 1908.10090. Deviation: they find the most probable output of all by exact
    search; the reference alone gives a lower bound of their share.

    Args:
        margin: natural log units by which the reference has to be more probable.
        name: What the score is called in tables.
    """

    kind = "search_errors"
    higher_is_better = False

    def __init__(self, *, margin: float = MARGIN, name: str = "search_errors") -> None:
        self.margin = margin
        self.name = name

    def score(self, hypotheses: Sequence[float] | np.ndarray, references: Sequence[float] | np.ndarray) -> Score:
        """Compare what was found with the references.

        Args:
            hypotheses: (sentences,) natural log-probability of each output, eos included.
            references: (sentences,) of each reference, eos included.

        Raises:
            RequestError: No sentence, or unequal counts.
        """
        found, known = np.asarray(hypotheses, dtype=np.float64), np.asarray(references, dtype=np.float64)
        if found.shape != known.shape or found.ndim != 1 or not found.size:
            raise RequestError(
                f"{self.name}: log-probabilities of {found.size} outputs but of {known.size} references; expected one "
                "of each for each sentence, at least one"
            )
        statistics = np.stack([known > found + self.margin, np.ones(len(found))], axis=1).astype(np.float64)
        value = float(self.aggregate(statistics.sum(axis=0)))
        return Score(self.name, value, self.signature(), statistics, self.higher_is_better)

    def signature(self) -> str:
        """State everything that changes the number."""
        return f"{self.kind}|ref:first|margin:{self.margin:g}|version:1"

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        if signature_kind(signature) != cls.kind:
            return None
        return cls(margin=float(signature_fields(signature)["margin"]), name=name)
