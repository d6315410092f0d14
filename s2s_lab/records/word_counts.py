"""Words and their counts in the target side of the training split, for scores by word frequency."""

import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"\w+(?:['\u2019\-]\w+)*|[^\w\s]")


def words(line: str) -> list[str]:
    """Split raw text into case-folded words and single punctuation marks, the same for every tokenizer."""
    return _WORD.findall(line.casefold())


def count_words(lines: Iterable[str]) -> Counter[str]:
    """Count the words of raw lines; this is what word_counts.json holds."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(words(line))
    return counts
