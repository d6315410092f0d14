"""Warnings about outputs whose scores should not be trusted without a look."""

from collections.abc import Sequence

from s2s_lab.metrics.base import References, check

LEAST_RATIO = 0.8
LARGEST_RATIO = 1.25
MANY_TOKENIZED = 0.5


def quality_warnings(
    hypotheses: Sequence[str],
    references: References,
    *,
    least_ratio: float = LEAST_RATIO,
    largest_ratio: float = LARGEST_RATIO,
) -> list[str]:
    """Look for empty outputs, wrong total length and text left tokenized.

    Length counts characters other than white space, so that it means the same in every script; each hypothesis is
    measured against its reference of the closest length.

    Args:
        hypotheses: One string for each sentence.
        references: For each sentence its accepted references.
        least_ratio: Hypothesis length over reference length, summed over the corpus, below which a warning is due.
        largest_ratio: The same from above.

    Returns:
        One line for each finding; empty when all is well.

    Raises:
        RequestError: As for every metric: no sentence, unequal counts, a sentence without reference.
    """
    check(hypotheses, references, name="quality")
    found: list[str] = []
    pairs = list(zip(hypotheses, references, strict=True))
    empty = sum(not hypothesis.strip() and all(map(str.strip, accepted)) for hypothesis, accepted in pairs)
    if empty:
        found.append(f"{empty} of {len(pairs)} hypotheses are empty where every reference has words")
    hypothesis_length = reference_length = 0
    for hypothesis, accepted in pairs:
        length = _length(hypothesis)
        hypothesis_length += length
        reference_length += min(map(_length, accepted), key=lambda other: (abs(other - length), other))
    if reference_length and not least_ratio <= hypothesis_length / reference_length <= largest_ratio:
        found.append(
            f"hypotheses have {hypothesis_length / reference_length:.2f} times the length of the references;"
            f" expected {least_ratio} to {largest_ratio}"
        )
    tokenized = sum(
        hypothesis.endswith(" .") and not any(reference.endswith(" .") for reference in accepted)
        for hypothesis, accepted in pairs
    )
    if tokenized > MANY_TOKENIZED * len(pairs):
        found.append(f'{tokenized} of {len(pairs)} hypotheses end in a tokenized " ." unlike their references')
    return found


def _length(line: str) -> int:
    return sum(map(len, line.split()))
