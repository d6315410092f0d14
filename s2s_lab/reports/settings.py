"""The settings in which the rows of a comparison differ, as axes of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2s_lab.records.configuration import ABSENT
from s2s_lab.reports.runs import short
from s2s_lab.reports.together import is_numeric, varied_together

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
    """Make axes of differing keys; keys that were varied together make one.

    Args:
        differences: Dotted key -> value of each row.
    """
    return [_setting(keys, differences) for keys in varied_together(differences)]


def _setting(keys: Sequence[str], differences: Mapping[str, Sequence[Any]]) -> Setting:
    key = min(keys, key=lambda key: (ABSENT in differences[key], not is_numeric(differences[key]), keys.index(key)))
    values = differences[key]
    label = ".".join(part for part in key.split(".") if part != "_target_")
    if not is_numeric(values):
        return Setting(label, tuple(keys), False, False, tuple(map(short, values)))
    numbers = tuple(float(value) for value in values)
    logarithmic = min(numbers) > 0 and max(numbers) >= LOGARITHMIC * min(numbers)
    return Setting(label, tuple(keys), True, logarithmic, numbers)
