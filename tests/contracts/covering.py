"""Covering arrays: few rows in which every two (or more) options of different axes still meet."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Meeting = tuple[tuple[str, int], ...]
"""Options that are to meet: (axis, place among its options), in the order of the axes."""


def covering(
    axes: Mapping[str, Sequence[Any]], refused: Callable[[Row], bool] = lambda row: False, *, strength: int = 2
) -> list[Row]:
    """Give rows, one option of each axis, that hold every allowed meeting of options at least once; always the same.

    Greedy: each row starts from a meeting that is still missing and takes of every other axis the option that adds
    most.

    Args:
        axes: options by the name of their axis.
        refused: whether a row, perhaps without some axes, holds a combination that is none.
        strength: how many options meet; 2 for every pair.
    """
    order = list(axes)
    places = {axis: range(len(options)) for axis, options in axes.items()}

    def row_of(chosen: Mapping[str, int]) -> Row:
        return {axis: axes[axis][chosen[axis]] for axis in axes if axis in chosen}

    wanted: list[Meeting] = [
        tuple(zip(group, found, strict=True))
        for group in itertools.combinations(order, strength)
        for found in itertools.product(*(places[axis] for axis in group))
        if not refused(row_of(dict(zip(group, found, strict=True))))
    ]
    missing, rows = set(wanted), []
    for meeting in sorted(wanted, key=repr):
        if meeting not in missing:
            continue
        chosen = _completed(dict(meeting), places, missing, lambda part: refused(row_of(part)), strength)
        if chosen is not None:  # else only a refused option of another axis would complete it
            missing -= set(_meetings(chosen, order, strength))
            rows.append(row_of(chosen))
    return rows


def _completed(
    chosen: dict[str, int],
    places: Mapping[str, range],
    missing: set[Meeting],
    refused: Callable[[Mapping[str, int]], bool],
    strength: int,
) -> dict[str, int] | None:
    """Fill in the other axes, going back where all options of one are refused; None where no row holds them all."""
    axis = next((name for name in places if name not in chosen), None)
    if axis is None:
        return chosen
    order = list(places)
    others = list(_meetings(chosen, order, strength - 1))

    def gain(place: int) -> int:
        new = (tuple(sorted((*other, (axis, place)), key=lambda each: order.index(each[0]))) for other in others)
        return sum(meeting in missing for meeting in new)

    for place in sorted(places[axis], key=lambda place: (-gain(place), place)):
        extended = {**chosen, axis: place}
        if not refused(extended) and (found := _completed(extended, places, missing, refused, strength)) is not None:
            return found
    return None


def _meetings(chosen: Mapping[str, int], order: Sequence[str], strength: int) -> Iterator[Meeting]:
    present = [(axis, chosen[axis]) for axis in order if axis in chosen]
    return itertools.combinations(present, strength)
