"""Pairwise covering arrays: few rows in which every two options of different axes still meet."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def covering(axes: Mapping[str, Sequence[Any]], refused: Callable[[Row], bool] = lambda row: False) -> list[Row]:
    """Give rows, one option of each axis, that hold every allowed pair of options at least once; always the same ones.

    Greedy: each row starts from a pair that is still missing and takes of every other axis the option that adds most.

    Args:
        axes: options by the name of their axis.
        refused: whether a row, perhaps without some axes, holds a combination that is none.
    """
    places = {axis: range(len(options)) for axis, options in axes.items()}

    def row_of(chosen: Mapping[str, int]) -> Row:
        return {axis: axes[axis][chosen[axis]] for axis in axes if axis in chosen}

    missing = {
        ((first, one), (second, other))
        for first, second in itertools.combinations(axes, 2)
        for one, other in itertools.product(places[first], places[second])
        if not refused(row_of({first: one, second: other}))
    }
    rows = []
    while missing:
        chosen = _completed(dict(min(missing, key=repr)), places, missing, lambda part: refused(row_of(part)))
        if chosen is None:  # a pair that only a refused third option would complete
            missing.discard(min(missing, key=repr))
            continue
        missing -= set(_pairs(chosen, list(axes)))
        rows.append(row_of(chosen))
    return rows


def _completed(
    chosen: dict[str, int], places: Mapping[str, range], missing: set, refused: Callable[[Mapping[str, int]], bool]
) -> dict[str, int] | None:
    """Fill in the other axes, going back where all options of one are refused; None where no row holds the pair."""
    axis = next((name for name in places if name not in chosen), None)
    if axis is None:
        return chosen

    def gain(place: int) -> int:
        return sum(pair in missing for pair in _pairs({**chosen, axis: place}, list(places)) if (axis, place) in pair)

    for place in sorted(places[axis], key=lambda place: (-gain(place), place)):
        extended = {**chosen, axis: place}
        if not refused(extended) and (found := _completed(extended, places, missing, refused)) is not None:
            return found
    return None


def _pairs(chosen: Mapping[str, int], order: Sequence[str]) -> Iterator[tuple]:
    present = [(axis, chosen[axis]) for axis in order if axis in chosen]
    return itertools.combinations(present, 2)
