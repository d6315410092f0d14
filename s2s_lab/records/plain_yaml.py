"""YAML from anybody, read into plain values: no objects, no bombs of aliases, no depth that ends the interpreter."""

from pathlib import Path
from typing import Any

import yaml

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_text

MOST_CHARACTERS = 4_000_000
MOST_VALUES = 200_000
"""Values of one file, each alias counted as often as it stands."""
MOST_LEVELS = 60


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Args:
        path: UTF-8.

    Returns:
        Nested dicts with text keys, lists, text, numbers, booleans and None.

    Raises:
        RequestError: If it is missing, no YAML, too large, nested too deeply, or holds anything else; names the line.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Any:
    """Parse the text of a YAML file, as `read_yaml` does.

    Args:
        text: YAML.
        path: Where it comes from, for messages.

    Raises:
        RequestError: If it is no YAML, too large, nested too deeply, or holds anything else; names the line.
    """
    try:
        check_size(text, path)
        found = yaml.safe_load(text)
    except RequestError:
        raise
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise RequestError(f"{path}{place}: not valid YAML") from None
    _check_plain(found, str(path))
    return found


def check_size(text: str, path: Path) -> None:
    """Refuse YAML that takes much more memory than its length tells; says nothing of text that is no YAML.

    Raises:
        RequestError: If it is too long, nested too deeply, or stands for too many values.
    """
    if len(text) > MOST_CHARACTERS:
        raise RequestError(f"{path}: {len(text)} characters, expected at most {MOST_CHARACTERS}")
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        values = _expanded(node, {}, 0) if node is not None else 0
    except yaml.YAMLError:
        return
    except RecursionError:
        raise RequestError(f"{path}: nested more than {MOST_LEVELS} levels deep") from None
    if values > MOST_VALUES:
        raise RequestError(f"{path}: {values:.3g} values when its aliases are expanded, expected at most {MOST_VALUES}")


def _expanded(node: yaml.Node, known: dict[int, int], level: int) -> int:
    """How many values a node stands for, aliases expanded; a node that holds itself is infinitely deep."""
    if level > MOST_LEVELS:
        raise RecursionError
    if id(node) not in known:
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        else:
            parts = node.value if isinstance(node, yaml.SequenceNode) else []
        known[id(node)] = 1 + sum(_expanded(part, known, level + 1) for part in parts)
    return known[id(node)]


def _check_plain(value: Any, place: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise RequestError(f"{place}: the key {key!r} is no text")
            _check_plain(item, place)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, place)
    elif not (value is None or isinstance(value, str | int | float)):
        raise RequestError(f"{place}: {value!r} is a {type(value).__name__}; text, a number, true or false is expected")
