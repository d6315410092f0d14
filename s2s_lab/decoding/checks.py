"""Checks of single options: a value of the wrong kind or range gets one line."""

import math
from typing import Any

from s2s_lab.faults import RequestError


def whole_number(name: str, value: Any, least: int, *, place: str = "decoding") -> int:
    """Returns a whole number, an option of `place`, as it is.

    Raises:
        RequestError: it is none, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise RequestError(f"{place}.{name} is {value!r}, expected a whole number of at least {least}")
    return value


def positive(name: str, value: Any, most: float = math.inf, *, place: str = "decoding") -> float:
    """Returns a finite number above 0, an option of `place`, as it is.

    Raises:
        RequestError: it is none, or not above 0, or above `most`.
    """
    proper = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    if not proper or not 0 < value <= most:
        upper = "" if most == math.inf else f" and at most {most:g}"
        raise RequestError(f"{place}.{name} is {value!r}, expected a number above 0{upper}")
    return value


def at_least(name: str, value: Any, least: float, *, place: str = "decoding") -> float:
    """Returns a finite number of at least `least`, an option of `place`, as it is.

    Raises:
        RequestError: it is none, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise RequestError(f"{place}.{name} is {value!r}, expected a number of at least {least:g}")
    return value
