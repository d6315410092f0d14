"""What every score is: statistics of single sentences, their sum, and one number computed from a sum."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from s2s_lab.faults import RequestError

References = Sequence[Sequence[str]]
"""For each sentence its accepted references, at least one; their number may differ between sentences."""


@dataclass(frozen=True, eq=False)
class Score:
    """One number about one set of hypotheses, with all that is needed to repeat and to compare it.

    Attributes:
        name: What the number is called in tables, e.g. "bleu".
        value: The number, in the metric's unit.
        signature: Everything that changes the number: definition, options, count of references, version. Only
            scores with equal signatures may be compared.
        statistics: (sentences, k) float64; `value` is the metric's `aggregate` of their sum over sentences.
        higher_is_better: False for errors, edits and perplexity.
    """

    name: str
    value: float
    signature: str
    statistics: np.ndarray
    higher_is_better: bool


class Aggregate:
    """The half of a metric that needs no text: from summed statistics to the number.

    Attributes:
        kind: First field of the signature; tells which class made it.
        name: What the score is called in tables.
        higher_is_better: False for errors, edits and perplexity.
    """

    kind: ClassVar[str]
    higher_is_better: ClassVar[bool]
    name: str

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """Compute the number from sums of sentence statistics, vectorised over all leading axes.

        Unless a metric says otherwise, the first sum divided by the second, and no number where that is 0.

        Args:
            summed: (..., k) statistics summed over the sentences of a corpus or of a resample of it.

        Returns:
            (...) float64.
        """
        return ratio(summed[..., 0], summed[..., 1], undefined=np.nan)

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """Rebuild what `aggregate` needs from a recorded signature; None when another class made it.

        Options that only change how statistics are counted may be at their defaults in the result.
        """
        return cls(name=name) if signature_kind(signature) == cls.kind else None  # pyright: ignore[reportCallIssue]


class Metric(Aggregate, ABC):
    """Compares hypotheses with accepted references, both strings, sentence by sentence."""

    @abstractmethod
    def count(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """Give (sentences, k) float64 of checked, non-empty input; each row depends on its own sentence alone."""

    @abstractmethod
    def signature(self, num_references: int | None = 1) -> str:
        """State everything that changes the number.

        Args:
            num_references: References for each sentence; None when the number differs between sentences.
        """

    def statistics(self, hypotheses: Sequence[str], references: References) -> np.ndarray:
        """Give the statistics of each sentence.

        Args:
            hypotheses: One string for each sentence; empty strings are allowed.
            references: For each sentence its accepted references.

        Returns:
            (sentences, k) float64. Statistics of two corpora are those of their concatenation.

        Raises:
            RequestError: No sentence, unequal counts, a sentence without reference, or something that is no string.
        """
        check(hypotheses, references, name=self.name)
        return self.count(hypotheses, references)

    def pairs(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """Give the statistics of every hypothesis beside every reference: (hypotheses, references, k) float64.

        Equal to `statistics` of each pair; metrics that can share work between pairs do.
        """
        left = [hypothesis for hypothesis in hypotheses for _ in references]
        statistics = self.statistics(left, [(reference,) for _ in hypotheses for reference in references])
        return statistics.reshape(len(hypotheses), len(references), -1)

    def score(self, hypotheses: Sequence[str], references: References) -> Score:
        """Score a corpus; arguments and errors are those of `statistics`."""
        statistics = self.statistics(hypotheses, references)
        return Score(
            name=self.name,
            value=float(self.aggregate(statistics.sum(axis=0))),
            signature=self.signature(count_references(references)),
            statistics=statistics,
            higher_is_better=self.higher_is_better,
        )


def check(hypotheses: Sequence[str], references: References, *, name: str) -> None:
    """Refuse input that cannot be scored.

    Raises:
        RequestError: No sentence, unequal counts, a sentence without reference, or something that is no string.
    """
    if len(hypotheses) != len(references):
        raise RequestError(
            f"{name}: {len(hypotheses)} hypotheses but {len(references)} sentences of references; expected equal counts"
        )
    if len(hypotheses) == 0:
        raise RequestError(f"{name}: no sentence to score; expected at least one")
    for number, (hypothesis, accepted) in enumerate(zip(hypotheses, references, strict=True), start=1):
        if not isinstance(hypothesis, str):
            raise RequestError(f"{name}: hypothesis {number} is {hypothesis!r}; expected a string")
        if isinstance(accepted, str) or not all(isinstance(reference, str) for reference in accepted):
            raise RequestError(f"{name}: references of sentence {number} are {accepted!r}; expected a tuple of strings")
        if len(accepted) == 0:
            raise RequestError(f"{name}: sentence {number} has no reference; expected at least one")


def count_references(references: References) -> int | None:
    """Count the references of a sentence; None when the number differs between sentences."""
    counts = {len(accepted) for accepted in references}
    return counts.pop() if len(counts) == 1 else None


def write_signature(kind: str, num_references: int | None, **fields: str) -> str:
    """Write a signature in sacrebleu's manner: the kind, then `key:value` fields joined by bars."""
    pairs = {"nrefs": "var" if num_references is None else str(num_references), **fields}
    return "|".join([kind, *(f"{key}:{value}" for key, value in pairs.items())])


def signature_kind(signature: str) -> str:
    """Give the first field of a signature."""
    return signature.split("|", 1)[0]


def signature_fields(signature: str) -> dict[str, str]:
    """Give the `key:value` fields of a signature."""
    return dict(field.split(":", 1) for field in signature.split("|")[1:] if ":" in field)


def ratio(numerator: np.ndarray, denominator: np.ndarray, *, undefined: float | np.ndarray) -> np.ndarray:
    """Divide elementwise; where the denominator is 0 the result is `undefined`."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, undefined)
