"""The settings in which the rows of a comparison differ, as axes of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2s_lab.records.configuration import ABSENT
from s2s_lab.reports.runs import short

LOGARITHMIC = 10.0
"""A positive setting whose largest value is at least so many times its smallest is drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Setting:
    """One thing that was varied.

    Attributes:
        label: Its key, without the parts that only name a class.
        keys: All keys that vary together with it, itself included.
        numeric: Whether every row has a number.
        logarithmic: Whether its numbers span orders of magnitude.
        values: One for each row: numbers, else texts.
    """

    label: str
    keys: tuple[str, ...]
    numeric: bool
    logarithmic: bool
    values: tuple[float | str, ...]

    @property
    def levels(self) -> list[float] | list[str]:
        """The different values, in order."""
        return sorted(set(self.values))  # type: ignore[type-var, return-value]


def settings_of(differences: Mapping[str, Sequence[Any]]) -> list[Setting]:
    """Make axes of differing keys; keys that divide the rows in the same way make one.

    Args:
        differences: Dotted key -> value of each row.
    """
    groups: dict[tuple[int, ...], list[str]] = {}
    for key, values in differences.items():
        texts = list(map(short, values))
        groups.setdefault(tuple(map(texts.index, texts)), []).append(key)
    return [_setting(keys, differences) for keys in groups.values()]


def _setting(keys: Sequence[str], differences: Mapping[str, Sequence[Any]]) -> Setting:
    key = min(keys, key=lambda key: (ABSENT in differences[key], not _numeric(differences[key]), keys.index(key)))
    values = differences[key]
    label = ".".join(part for part in key.split(".") if part != "_target_")
    if not _numeric(values):
        return Setting(label, tuple(keys), False, False, tuple(map(short, values)))
    numbers = tuple(float(value) for value in values)
    logarithmic = min(numbers) > 0 and max(numbers) >= LOGARITHMIC * min(numbers)
    return Setting(label, tuple(keys), True, logarithmic, numbers)


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
