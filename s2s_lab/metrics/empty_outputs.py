"""The share of outputs that say nothing."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.metrics.base import Metric, References, write_signature


class EmptyOutputs(Metric):
    """Share of sentences, 0 to 1, whose output has nothing but white space, whatever their references are.

    Statistics: [empty, 1].

    Args:
        name: What the score is called in tables.
    """

    kind = "empty_outputs"
    higher_is_better = False

    def __init__(self, *, name: str = "empty_outputs") -> None:
        self.name = name

    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """See Metric."""
        return np.array([[not hypothesis.strip(), True] for hypothesis in hypotheses], dtype=np.float64)

    def signature(self, num_references: int | None = 1) -> str:
        """See Metric."""
        return write_signature(self.kind, num_references, version="1")
