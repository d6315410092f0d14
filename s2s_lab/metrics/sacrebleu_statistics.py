"""The one place that reads sentence statistics out of sacrebleu, and checks that they mean what we take them for."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_lab.faults import RequestError, RunError
from s2s_lab.metrics.base import Metric, References

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuScorer

PROBE_HYPOTHESES = ("A small Dog sleeps on the mat .", "it rained today and all day", "", "No, never!")
PROBE_REFERENCES = (
    ("The small dog sleeps on the red mat.", "A dog sleeps."),
    ("All day it rained and it rained.", "it rained all day, today too"),
    ("Nothing was said.", "Silence."),
    ("No, never!", "Never."),
)


class SacrebleuMetric(Metric):
    """A metric whose sentence statistics and signature are sacrebleu's own.

    sacrebleu hands out statistics by a method that is not part of its public interface (only chrF has no public way,
    but one way serves all). Before the first use of each metric a small corpus is scored by its public `corpus_score`
    and by our arithmetic on those statistics; they must agree.
    """

    num_statistics: int
    _checked: bool = False

    @abstractmethod
    def scorer(self) -> "SacrebleuScorer":
        """Build the sacrebleu metric with this metric's options."""

    def prepare(self, line: str) -> str:
        """Change a line before sacrebleu sees it; nothing by default."""
        return line

    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """See Metric.

        Raises:
            RunError: The installed sacrebleu no longer gives the statistics that `aggregate` expects.
        """
        if not self._checked:
            self._check_arithmetic()
            self._checked = True
        prepared = [self.prepare(hypothesis) for hypothesis in hypotheses]
        accepted = [[self.prepare(reference) for reference in group] for group in references]
        return extract(self.scorer(), prepared, accepted, num_statistics=self.num_statistics)

    def signature(self, num_references: int | None = 1) -> str:
        """Give sacrebleu's name of the score and its signature string, as sacrebleu prints them."""
        if num_references is None:
            references: References = [["a"], ["a", "a"]]
        else:
            references = [["a"] * num_references]
        scorer = self.scorer()
        score = scorer.corpus_score(["a"] * len(references), streams(references))
        return f"{score.name}|{scorer.get_signature()}"

    def _check_arithmetic(self) -> None:
        scorer = self.scorer()
        ours = float(
            self.aggregate(
                extract(scorer, PROBE_HYPOTHESES, PROBE_REFERENCES, num_statistics=self.num_statistics).sum(axis=0)
            )
        )
        theirs = scorer.corpus_score(PROBE_HYPOTHESES, streams(PROBE_REFERENCES)).score
        if not np.isclose(ours, theirs, rtol=1e-9, atol=1e-9):
            raise _changed(f"{self.name} of the probe is {theirs} by sacrebleu and {ours} from its statistics")


def extract(
    scorer: "SacrebleuScorer", hypotheses: Sequence[str], references: References, *, num_statistics: int
) -> np.ndarray:
    """Read (sentences, num_statistics) float64 out of a sacrebleu metric.

    Raises:
        RunError: The method is gone, or gives something of another form.
    """
    method = getattr(scorer, "_extract_corpus_statistics", None)
    if method is None:
        raise _changed("its metrics have no sentence statistics")
    try:
        statistics = np.array(method(list(hypotheses), streams(references)), dtype=np.float64)
    except (TypeError, ValueError, AttributeError) as error:
        raise _changed(f"reading sentence statistics failed with {error}") from error
    if statistics.shape != (len(hypotheses), num_statistics):
        raise _changed(
            f"sentence statistics have shape {statistics.shape}; expected {(len(hypotheses), num_statistics)}"
        )
    return statistics


def streams(references: References) -> list[list[Any]]:
    """Turn references by sentence into sacrebleu's streams of one reference each; None where a sentence has fewer."""
    most = max(len(accepted) for accepted in references)
    return [[accepted[number] if number < len(accepted) else None for accepted in references] for number in range(most)]


def check_option(name: str, option: str, value: object, known: Sequence[object]) -> None:
    """Refuse an option's value that is not among the known ones.

    Raises:
        RequestError: Naming the metric, the option, the value and the known values.
    """
    if value not in known:
        raise RequestError(f"{name}: {option} is {value!r}; expected one of {', '.join(map(str, known))}")


def _changed(what: str) -> RunError:
    import sacrebleu

    return RunError(f"sacrebleu {sacrebleu.__version__} differs from 2.6, for which this is written: {what}")
