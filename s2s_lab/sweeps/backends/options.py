"""The options of a backend as a configuration gives them: which there are, and of what kind."""

import difflib
from collections.abc import Mapping
from typing import Any

from s2s_lab.faults import RequestError

PLACE = "hydra.launcher.options"


def read_options(given: Mapping[str, Any], defaults: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Completes the options of a backend.

    Args:
        given: what the configuration says.
        defaults: each option of the backend with its value where nothing is said.
        kinds: what each option must be: `text`, `number` (above 0), `count` (a whole number, 1 or more), `mapping` or
            `lines` (a list of texts); each may be null too.

    Returns:
        Every option of `defaults`; empty mappings and lists where null was given for one.

    Raises:
        RequestError: if an option is unknown, naming the nearest known one, or of another kind.
    """
    for name in given:
        if name not in defaults:
            close = difflib.get_close_matches(str(name), list(defaults), n=1, cutoff=0.5)
            known = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(defaults)}"
            raise RequestError(f"unknown key {PLACE}.{name}; {known}")
    found = {**defaults, **given}
    for name, value in found.items():
        if not _is(kinds[name], value):
            raise RequestError(f"{PLACE}.{name} is {value!r}; expected {EXPECTED[kinds[name]]} or null")
    empty: dict[str, Any] = {"mapping": {}, "lines": []}
    return {name: empty.get(kinds[name]) if value is None else value for name, value in found.items()}


EXPECTED = {
    "text": "a text",
    "number": "a number above 0",
    "count": "a whole number, 1 or more",
    "mapping": "a mapping of names to texts, numbers or true",
    "lines": "a list of texts",
}


def _is(kind: str, value: Any) -> bool:
    if value is None:
        return True
    if kind == "text":
        return isinstance(value, str)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if kind == "count":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if kind == "mapping":
        plain = isinstance(value, Mapping) and all(isinstance(name, str) for name in value)
        return plain and all(isinstance(each, str | int | float) for each in value.values())
    return isinstance(value, list) and all(isinstance(line, str) for line in value)
