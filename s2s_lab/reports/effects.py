"""How the effect sizes of a split are shown: over seeds where there are some, else over sentences."""

import math
from typing import Literal, NamedTuple

from s2s_lab.reports.entries import Entry, SplitComparison

EffectKind = Literal["g", "d"]
HINTS = {
    "g": "Hedges' g: difference from the best row in standard deviations over seeds, with its 95 % interval",
    "d": "Difference from the best row in standard deviations of what single sentences add to it",
}


class Effect(NamedTuple):
    """An effect size as shown.

    Attributes:
        text: Signed, or empty when there is none.
        interval: `-3.1 to -0.2`, or empty.
        value: The number, or None.
    """

    text: str
    interval: str
    value: float | None


def effect_kind(split: SplitComparison) -> EffectKind | None:
    """Tell which effect size a split shows; None when nothing was tested."""
    tested = [entry.versus for entry in split.entries if entry.versus]
    if not tested:
        return None
    return "d" if all(math.isnan(versus.effect.g) for versus in tested) else "g"


def effect_of(entry: Entry, kind: EffectKind | None) -> Effect:
    """Give an entry's effect size against the best one."""
    if entry.versus is None or kind is None:
        return Effect("", "", None)
    size = entry.versus.effect
    value = size.g if kind == "g" else entry.versus.test.effect
    if math.isnan(value):
        return Effect("–", "", None)  # noqa: RUF001
    interval = f"{_signed(size.low)} to {_signed(size.high)}" if kind == "g" and math.isfinite(size.low) else ""
    return Effect(_signed(value), interval, value)


def _signed(value: float) -> str:
    """Write a number with a minus sign, two digits, or none of them where it is large."""
    sign = "\u2212" if value < 0 else ""
    if math.isinf(value):
        return f"{sign}∞"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    text = f"{abs(value):,.{digits}f}"
    return text if not text.strip("0.") else sign + text
