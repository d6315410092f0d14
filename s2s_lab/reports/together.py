"""Keys of configurations that were varied together."""

from collections.abc import Mapping, Sequence
from typing import Any


def is_numeric(values: Sequence[Any]) -> bool:
    """Tell whether all values are numbers."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def varied_together(differences: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    """Group keys that divide the rows in the same way, such as the sizes of both sides.

    Numbers that are different in every row divide all rows in the same way whatever they are, as in a random search;
    they go together only where their order, or its reverse, is the same too.

    Args:
        differences: Dotted key -> value of each row.
    """
    groups: dict[tuple[Any, ...], list[str]] = {}
    for key, values in differences.items():
        texts = list(map(str, values))
        division = tuple(map(texts.index, texts))
        ranks: tuple[int, ...] = ()
        if len(set(texts)) == len(texts) and is_numeric(values):
            places = [sorted(values).index(value) for value in values]
            ranks = min(tuple(places), tuple(len(places) - 1 - place for place in places))
        groups.setdefault((division, ranks), []).append(key)
    return list(groups.values())
