"""What readers rely on in a record, written as a value of the same shape, and the check of a record against it."""

import reprlib
from collections.abc import Mapping
from typing import Any

from s2s_lab.faults import RequestError

Shape = Any
"""A type or a tuple of types; `[shape]` for a list of any length; Exactly, Maybe or Each for an object."""


class Exactly(dict[str, Shape]):
    """An object with these keys; those of `others` (a Maybe) and unknown ones may be there too."""


class Maybe(dict[str, Shape]):
    """An object in which each of these keys may be missing or null; others may be there."""


class Each:
    """An object with any keys and values of one shape.

    Args:
        shape: of every value.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


def check_shape(value: Any, shape: Shape, place: str) -> None:
    """Check a record from JSON.

    Args:
        value: What was read.
        shape: What it must be.
        place: The file, and where in it, for messages.

    Raises:
        RequestError: One line that names the place, the value and what was expected.
    """
    if isinstance(shape, list):
        _require(value, list, place)
        if _all_plain(value, shape[0]):
            return
        for position, item in enumerate(value):
            check_shape(item, shape[0], f"{place}[{position}]" if position < 1000 else place)
    elif isinstance(shape, Each):
        _require(value, Mapping, place)
        for key, item in value.items():
            listed = isinstance(shape.shape, list) and isinstance(item, list)
            if not (listed and _all_plain(item, shape.shape[0])):
                check_shape(item, shape.shape, f"{place}: {reprlib.repr(key)}")
    elif isinstance(shape, Exactly | Maybe):
        _require(value, Mapping, place)
        for key, part in shape.items():
            if key == "others" and isinstance(shape, Exactly):
                check_shape(value, part, place)
            elif key in value and not (value[key] is None and isinstance(shape, Maybe)):
                check_shape(value[key], part, f"{place}: {key}")
            elif isinstance(shape, Exactly):
                raise RequestError(f"{place}: {key} is missing")
    else:
        _require(value, shape, place)


def _all_plain(values: list[Any], shape: Shape) -> bool:
    """Whether all are exactly of the types asked for, looked up together; False says nothing of what is wrong."""
    accepted = shape if isinstance(shape, tuple) else (shape,)
    return all(isinstance(kind, type) for kind in accepted) and set(map(type, values)) <= set(accepted)


def _require(value: Any, types: Any, place: str) -> None:
    accepted = types if isinstance(types, tuple) else (types,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
        names = " or ".join(NAMES[item] for item in accepted)
        raise RequestError(f"{place} is {reprlib.repr(value)}, expected {names}")


NAMES: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    Mapping: "an object",
    type(None): "null",
}
