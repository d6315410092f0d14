"""The Levenshtein distance between two sequences, bit-parallel."""

from collections.abc import Hashable, Sequence


def levenshtein(left: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """Count the fewest insertions, deletions and substitutions that turn `left` into `right`.

    Paper: Myers, 1999, "A fast bit-vector algorithm for approximate string matching based on dynamic programming",
    in the form for whole sequences of Hyyro, 2003. One column of the table is kept as two integers of len(right)
    bits, so that time grows with len(left) x (len(right) / word size).
    """
    if left == right:
        return 0
    if not left or not right:
        return len(left) + len(right)
    occurrences: dict[Hashable, int] = {}
    for position, symbol in enumerate(right):
        occurrences[symbol] = occurrences.get(symbol, 0) | 1 << position
    full = (1 << len(right)) - 1
    last = 1 << (len(right) - 1)
    rises, falls, distance = full, 0, len(right)  # vertical differences +1 and -1 of the current column
    for symbol in left:
        matches = occurrences.get(symbol, 0)
        diagonal = (((matches & rises) + rises) ^ rises) | matches | falls
        rising = falls | ~(diagonal | rises) & full
        falling = diagonal & rises
        if rising & last:
            distance += 1
        elif falling & last:
            distance -= 1
        rising = rising << 1 | 1
        falling <<= 1
        rises = (falling | ~(diagonal | rising)) & full
        falls = rising & diagonal & full
    return distance
