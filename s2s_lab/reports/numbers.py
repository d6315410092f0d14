"""How numbers are written in tables and on the page: units, digits, intervals, durations."""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from s2s_lab.metrics.base import signature_fields, signature_kind

SHARES = frozenset(
    {"exact_match", "token_accuracy", "word_error_rate", "sentence_error_rate", "search_errors", "empty_outputs"}
)
"""Kinds of scores that are shares, shown in per cent."""

OF_OUTPUTS = frozenset({"length_ratio", "empty_outputs", "distinct_n", "self_BLEU", "oracle_BLEU", "mean_log_prob"})
"""Kinds of scores that say how outputs are, not how good: shown beside decoders, in other tables when asked for."""

BOUNDED = re.compile(
    r"exact_match|token_accuracy|sentence_error_rate|search_errors|empty_outputs|(\w+_)?BLEU|chrF\d+\+*"
)
"""Kinds of scores that lie between 0 and 100 as shown."""

LEAST = {
    "word_error_rate": 0.0, "TER": 0.0, "edit_distance": 0.0, "length_ratio": 0.0,
    "distinct_n": 0.0, "perplexity": 1.0,
}  # fmt: skip
"""The least that further kinds of scores can be."""

ACRONYMS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "tokenized_bleu": "Tokenized BLEU"}


class Unit(NamedTuple):
    """How one score is shown.

    Attributes:
        factor: Multiplies the recorded value.
        suffix: Written after a lone number, e.g. " %".
        low: Least possible value as shown, or None.
        high: Greatest possible value as shown, or None.
    """

    factor: float
    suffix: str
    low: float | None
    high: float | None

    def bounds(self) -> tuple[float, float]:
        """Give the least and the greatest possible value, infinite where there is none."""
        return (-math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)


def unit_of(signature: str) -> Unit:
    """Tell how a score is shown from its signature; one whose field `scale` is `share` is a share from 0 to 1."""
    kind, told = signature_kind(signature), signature_fields(signature).get("scale") == "share"
    share, bounded = told or kind in SHARES, told or BOUNDED.fullmatch(kind) is not None
    low, high = (0.0, 100.0) if bounded else (LEAST.get(kind), None)
    return Unit(100.0 if share else 1.0, " %" if share else "", low, high)


def unit_of_curve(name: str) -> Unit:
    """Tell how a learning curve is shown from its name, e.g. `validation/exact_match`."""
    return unit_of(name.rpartition("/")[2])


def title_of(name: str) -> str:
    """Write a score's or a fact's name as a heading: `exact_match` becomes `Exact match`."""
    return ACRONYMS.get(name) or name.replace("_", " ").capitalize()


def decimal(value: float | None, digits: int = 2) -> str:
    """Write a number with fixed digits and thousands separated; a dash when there is none."""
    if value is None or not math.isfinite(value):
        return "–"  # noqa: RUF001
    return f"{value:,.{digits}f}"


def digits_for(values: list[float]) -> int:
    """Choose the digits of a column: two, more where all numbers are small, fewer where they are large."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=1.0)
    if largest >= 1000:
        return 0
    return 2 if largest >= 1 else 4


def shown(value: float, signature: str) -> str:
    """Write a recorded score alone, in its unit."""
    unit = unit_of(signature)
    return decimal(value * unit.factor, digits_for([value * unit.factor])) + unit.suffix


def count(value: float | None) -> str:
    """Write a large count briefly: 1,234 or 12.3 M."""
    if value is None:
        return "–"  # noqa: RUF001
    if value >= 1e9:
        return f"{value / 1e9:.2f} G"
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Write a rate with three significant digits."""
    if value is None:
        return "–"  # noqa: RUF001
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """Write seconds as 42 s, 3 min 05 s or 2 h 07 min."""
    if seconds is None:
        return "–"  # noqa: RUF001
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def p_text(value: float) -> str:
    """Write a p-value with two significant digits, at least 0.001."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def in_order(seeds: Iterable[str]) -> list[str]:
    """Give each seed once: numbers by their size, then what is no number."""
    return sorted(set(seeds), key=lambda seed: (not seed.isdecimal(), int(seed) if seed.isdecimal() else 0, seed))
