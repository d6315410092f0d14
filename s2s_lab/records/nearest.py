"""One of several known names, or one line with the nearest of them."""

import difflib
from collections.abc import Iterable
from typing import Any

from s2s_lab.faults import RequestError


def one_of(name: Any, known: Iterable[str], place: str, expected: str) -> str:
    """Give a name back if it is known.

    Args:
        name: what was asked for.
        known: all names.
        place: where it stands, the name included, for messages.
        expected: what it should be, in words.

    Raises:
        RequestError: one line that names the place and the nearest known name, or all of a few.
    """
    names = list(known)
    if name in names:
        return name
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    if close:
        raise RequestError(f"{place} is not {expected}; did you mean {close[0]}?")
    some = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    raise RequestError(f"{place} is not {expected} (known: {some or 'none'})")
