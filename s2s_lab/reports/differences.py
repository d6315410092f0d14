"""Where an output differs from its reference, word by word."""

from collections.abc import Sequence
from difflib import SequenceMatcher

SAME, EXTRA, MISSING = 0, 1, 2


def mark_words(output: str, references: Sequence[str], *, fold: bool = False) -> list[tuple[int, str]]:
    """Mark the words of an output against the reference it is closest to.

    Args:
        output: Raw output.
        references: Accepted references.
        fold: Whether words that differ in case alone are the same.

    Returns:
        Runs of words in reading order, as they are written: SAME as in the reference, EXTRA in the output, MISSING from
        it.
    """
    words = output.split()
    accepted = [reference.split() for reference in references]
    compared = [list(map(str.casefold, each)) if fold else each for each in (words, *accepted)]
    matchers = [SequenceMatcher(None, expected, compared[0], autojunk=False) for expected in compared[1:]]
    closest = max(range(len(matchers)), key=lambda place: matchers[place].ratio())
    pieces: list[tuple[int, str]] = []
    for tag, first, last, start, end in matchers[closest].get_opcodes():
        if tag == "equal":
            pieces.append((SAME, " ".join(words[start:end])))
            continue
        if start < end:
            pieces.append((EXTRA, " ".join(words[start:end])))
        if first < last:
            pieces.append((MISSING, " ".join(accepted[closest][first:last])))
    return pieces
