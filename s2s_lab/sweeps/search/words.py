"""Words of a search, in Hydra's override grammar, and the values that they ask for."""

import math
import re
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import HydraException

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.dimensions import Choice, Numbers

TAGS = {"log", "int"}


def parse_word(word: str, place: str = "") -> Override:
    """Reads one override of a key.

    Args:
        word: in Hydra's override grammar.
        place: what messages begin with.

    Raises:
        RequestError: if it cannot be read, or is none of a key, or deletes it.
    """
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise RequestError(f"{place}cannot read {word}: {reason[:200]}") from error
    if not override.key_or_group:
        raise RequestError(f"{place}cannot read {word}: KEY=SPACE is expected")
    if override.is_delete():
        raise RequestError(f"{place}{word} deletes a key; choose another option instead")
    return override


def values_of(override: Override) -> Choice | Numbers:
    """The values that one word may draw.

    Raises:
        RequestError: if a space is empty, its bounds are no numbers, or it is of a kind that is not drawn from.
    """
    sweep, word = override.value(), override.input_line
    if isinstance(sweep, Sweep) and sweep.tags - TAGS:
        raise RequestError(f"{word}: tag {min(sweep.tags - TAGS)} is unknown; log and int are known")
    if isinstance(sweep, ChoiceSweep):
        texts = [Override._get_value_element_as_str(_plain(item)) for item in sweep.list]
        if sweep.tags:
            raise RequestError(f"{word}: a choice has no order; tags are for interval and range")
        if len(set(texts)) < len(texts):
            raise RequestError(f"{word}: the same option twice")
        return Choice(tuple(texts))
    if isinstance(sweep, RangeSweep):
        return _range(sweep, str(word))
    if isinstance(sweep, IntervalSweep):
        return _interval(sweep, str(word))
    assert isinstance(sweep, Glob)
    raise RequestError(f"{word}: glob is not supported; name the options with commas")


def _plain(item: Any) -> Any:
    """An option without quotes that it does not need, so that one option has one text."""
    plain = isinstance(item, QuotedString) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", item.text)
    return item.text if plain and item.text.lower() not in ("null", "true", "false", "nan", "inf") else item


def _range(sweep: RangeSweep, word: str) -> Numbers:
    start, stop, step = (Decimal(str(bound)) for bound in (sweep.start, sweep.stop, sweep.step))
    if not all(bound.is_finite() for bound in (start, stop, step)) or step == 0:
        raise RequestError(f"{word}: numbers and a step other than 0 are expected")
    count = math.ceil((stop - start) / step)
    if count < 1:
        raise RequestError(f"{word}: nothing lies in this range")
    whole = all(isinstance(bound, int) for bound in (sweep.start, sweep.stop, sweep.step))
    if "int" in sweep.tags and not whole:
        raise RequestError(f"{word}: tagged int, but its bounds or its step are no whole numbers")
    ends = sorted((start, start + step * (count - 1)))
    log = "log" in sweep.tags
    if log and not (whole and abs(step) == 1 and ends[0] >= 1):
        raise RequestError(f"{word}: a log range goes over whole numbers from 1 on by steps of 1; else use interval")
    if whole:
        return Numbers(int(ends[0]), int(ends[1]), int(abs(step)), log, whole)
    return Numbers(float(ends[0]), float(ends[1]), float(abs(step)), log, whole)


def _interval(sweep: IntervalSweep, word: str) -> Numbers:
    assert sweep.start is not None and sweep.end is not None
    low, high = sweep.start, sweep.end
    whole, log = "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)), "log" in sweep.tags
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RequestError(f"{word}: two finite numbers are expected, the smaller one first")
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise RequestError(f"{word}: whole numbers are drawn, but {low:g} or {high:g} is none")
    if log and low <= 0:
        raise RequestError(f"{word}: a log interval begins above 0, not at {low:g}")
    return (
        Numbers(int(low), int(high), None, log, True) if whole else Numbers(float(low), float(high), None, log, False)
    )
