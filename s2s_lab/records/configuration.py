"""Configurations as plain nested dicts: their hash, their flat form, and where several of them differ."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from s2s_lab.records.durable import plain


def configuration_hash(configuration: Mapping[str, Any], without: Iterable[str] = ()) -> str:
    """Hash a configuration independently of the order of its keys.

    Args:
        configuration: Nested plain values.
        without: Dotted keys to leave out, each with all that lies below it, e.g. `("paths", "trainer.devices")`;
            a key that is not there is no error.

    Returns:
        The first 12 hexadecimal digits of the SHA-256 of the canonical JSON.
    """
    value = plain(configuration)
    for key in without:
        _remove(value, key.split("."))
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12]


def flatten(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give the leaves of nested dicts under dotted keys; lists and empty dicts are leaves."""
    flat: dict[str, Any] = {}
    for key, value in configuration.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def differing_keys(configurations: Sequence[Mapping[str, Any]], ignoring: Iterable[str] = ()) -> dict[str, list[Any]]:
    """Find the keys in which configurations differ.

    Args:
        configurations: Nested plain values.
        ignoring: Dotted keys left out, each with all that lies below it.

    Returns:
        Dotted key -> the value in each configuration, `ABSENT` where it has none; in the order of first appearance.
    """
    ignored = tuple(ignoring)
    flats = [flatten(configuration) for configuration in configurations]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    differing: dict[str, list[Any]] = {}
    for key in keys:
        if any(key == name or key.startswith(f"{name}.") for name in ignored):
            continue
        values = [flat.get(key, ABSENT) for flat in flats]
        if any(value != values[0] for value in values[1:]):
            differing[key] = values
    return differing


ABSENT = "(absent)"


def _remove(value: dict[str, Any], path: list[str]) -> None:
    for part in path[:-1]:
        value = value.get(part, {})
        if not isinstance(value, dict):
            return
    value.pop(path[-1], None)
