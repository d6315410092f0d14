"""Letters behind the rows of a table: rows that share one are not told apart."""

import string
from collections.abc import Callable
from itertools import combinations

Told = Callable[[int, int], bool]


def compact_letters(rows: int, told_apart: Told) -> list[str]:
    """Give every row its letters.

    Paper: Piepho, 2004, Journal of Computational and Graphical Statistics 13: every pair that is told apart splits the
    columns that hold both (insert), columns within others go (absorb); then columns all of whose pairs stand in
    another one too go (the sweep of Gramm et al., 2007).

    Args:
        rows: How many, best first.
        told_apart: Whether the test of rows i < j is significant.

    Returns:
        For each row its letters in order; the best row has the first. Two rows share a letter if and only if they are
        not told apart, and every row has one. Beyond 52 letters they are numbered: `a2` is one letter.
    """
    columns: list[frozenset[int]] = [frozenset(range(rows))] if rows else []
    for first, second in combinations(range(rows), 2):
        if not told_apart(first, second):
            continue
        both = [column for column in columns if first in column and second in column]
        kept = [column for column in columns if column not in both]
        columns = _absorb([*kept, *(column - {row} for column in both for row in (first, second))])
    columns = sorted(_sweep(columns), key=lambda column: (sorted(column), len(column)))
    names = [_letter(place) for place in range(len(columns))]
    return ["".join(name for name, column in zip(names, columns, strict=True) if row in column) for row in range(rows)]


def shared(first: str, second: str) -> bool:
    """Tell whether two rows' letters have one in common."""
    return not set(_split(first)).isdisjoint(_split(second))


def _absorb(columns: list[frozenset[int]]) -> list[frozenset[int]]:
    """Keep the columns that are not within another one."""
    kept: list[frozenset[int]] = []
    for column in sorted(set(columns), key=len, reverse=True):
        if not any(column <= other for other in kept):
            kept.append(column)
    return kept


def _sweep(columns: list[frozenset[int]]) -> list[frozenset[int]]:
    """Drop columns, small ones first, that no pair and no row needs."""
    kept = list(columns)
    for column in sorted(columns, key=lambda item: (len(item), sorted(item))):
        others = [other for other in kept if other is not column]
        alone = [{row} for row in column]
        pairs = [{first, second} for first, second in combinations(column, 2)]
        if all(any(need <= other for other in others) for need in (*alone, *pairs)):
            kept = others
    return kept


def _letter(place: int) -> str:
    round_, position = divmod(place, len(string.ascii_letters))
    return string.ascii_letters[position] + (str(round_ + 1) if round_ else "")


def _split(letters: str) -> list[str]:
    """Divide letters, each with the digits behind it."""
    found: list[str] = []
    for character in letters:
        if character.isdigit():
            found[-1] += character
        else:
            found.append(character)
    return found
