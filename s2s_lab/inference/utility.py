"""A metric of texts as the utility of outputs, for minimum Bayes risk decoding."""

from collections.abc import Sequence

import torch
from torch import Tensor

from s2s_lab.decoding.task import Phrase
from s2s_lab.faults import RequestError, RunError
from s2s_lab.inference.text import TextSide
from s2s_lab.metrics.base import Metric

KEPT_LINES = 4096  # texts that are remembered; then all are forgotten


class TextUtility:
    """The value that a metric gives to the text of one output beside that of another, higher being better.

    Args:
        metric: any; the value of a lower-is-better one counts negatively.
        side: turns ids into text; None where nothing is to be compared, as for a signature.
    """

    def __init__(self, metric: Metric, side: TextSide | None) -> None:
        self.metric = metric
        self.side = side
        self._lines: dict[Phrase, str] = {}

    def signature(self) -> str:
        """Return the metric's signature of one reference, without spaces."""
        return "".join(self.metric.signature(1).split())

    def __call__(self, hypotheses: Sequence[Phrase], references: Sequence[Phrase]) -> Tensor:
        """Compare each hypothesis with each reference: (hypotheses, references) float64.

        Raises:
            RequestError: there is no text side.
            RunError: the metric leaves a pair undefined.
        """
        left, right = ([self._line(ids) for ids in side] for side in (hypotheses, references))
        values = self.metric.aggregate(self.metric.pairs(left, right))
        undefined = (values != values).nonzero()
        if len(undefined[0]):
            row, column = int(undefined[0][0]), int(undefined[1][0])
            raise RunError(
                f"decoding.utility: {self.metric.name} of {left[row]!r} beside {right[column]!r} is not a number; "
                "choose a metric that is defined for all texts, such as chrf"
            )
        return torch.from_numpy(values if self.metric.higher_is_better else -values)

    def _line(self, ids: Phrase) -> str:
        if self.side is None:
            raise RequestError("decoding.utility compares texts, but there is no target side to write them")
        if any(id_ >= len(self.side.vocabulary) for id_ in ids):  # a copied word, whose number is another's later
            return self.side.line(ids)
        line = self._lines.get(ids)
        if line is None:
            if len(self._lines) >= KEPT_LINES:
                self._lines.clear()
            line = self._lines[ids] = self.side.line(ids)
        return line
