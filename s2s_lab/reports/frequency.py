"""How well words are produced, by how often they occur in the training data."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2s_lab.records.word_counts import words

EDGES = (0, 1, 2, 5, 10, 100, 1000, 10_000)
"""Least training count of each group of words; a group reaches to the next edge."""


@dataclass(frozen=True)
class FrequencyScores:
    """Word scores of one system in groups of words by training count.

    Attributes:
        matched: For each group, words of the outputs that the reference has too (each counted as often as in both).
        produced: Words of the outputs.
        expected: Words of the references.
    """

    matched: tuple[int, ...]
    produced: tuple[int, ...]
    expected: tuple[int, ...]

    def precision(self, group: int) -> float | None:
        """Share of produced words that are right; None without any."""
        return self.matched[group] / self.produced[group] if self.produced[group] else None

    def recall(self, group: int) -> float | None:
        """Share of expected words that were produced; None without any."""
        return self.matched[group] / self.expected[group] if self.expected[group] else None

    def f1(self, group: int) -> float | None:
        """Harmonic mean of precision and recall; None when nothing was produced or expected."""
        total = self.produced[group] + self.expected[group]
        return 2 * self.matched[group] / total if total else None


def group_label(group: int) -> str:
    """Write a group's range of training counts: `0`, `2 to 4`, `10,000 or more`."""
    start = EDGES[group]
    if group == len(EDGES) - 1:
        return f"{start:,} or more"
    end = EDGES[group + 1] - 1
    return f"{start:,}" if start == end else f"{start:,} to {end:,}"


def training_counts(recorded: Mapping[str, int]) -> Counter[str]:
    """Bring recorded counts to the words that this comparison uses (case-folded, punctuation apart)."""
    counts: Counter[str] = Counter()
    for text, count in recorded.items():
        for word in words(text):
            counts[word] += count
    return counts


def frequency_scores(
    counts: Mapping[str, int], outputs: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> FrequencyScores:
    """Count matches in groups of words.

    Args:
        counts: Word -> occurrences in training.
        outputs: For each seed its outputs, raw.
        references: For each sentence its accepted references, raw; of several the one that matches best counts.
    """
    matched, produced, expected = [0] * len(EDGES), [0] * len(EDGES), [0] * len(EDGES)
    group: dict[str, int] = {}
    accepted = [[Counter(words(reference)) for reference in texts] for texts in references]
    for texts in outputs:
        for text, choices in zip(texts, accepted, strict=True):
            output = Counter(words(text))
            reference = max(choices, key=lambda choice: (choice & output).total()) if len(choices) > 1 else choices[0]
            for word, number in output.items():
                place = group.setdefault(word, _group(counts.get(word, 0)))
                produced[place] += number
                matched[place] += min(number, reference.get(word, 0))
            for word, number in reference.items():
                expected[group.setdefault(word, _group(counts.get(word, 0)))] += number
    return FrequencyScores(tuple(matched), tuple(produced), tuple(expected))


def _group(count: int) -> int:
    return max(place for place, start in enumerate(EDGES) if count >= start)
