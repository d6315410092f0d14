"""A paper's claims held against what was measured: reproduced, not reproduced, inconclusive, or still open."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.metrics.seeds import hedges_g, paired_test, welch_test
from s2s_lab.metrics.significance import holm, paired_bootstrap
from s2s_lab.reports.measurements import Measured as Measured
from s2s_lab.reports.measurements import (
    Measurements,
    NotMeasuredError,
    check_comparable,
    of_shared_seeds,
    seed_means,
)
from s2s_lab.reports.numbers import decimal, unit_of
from s2s_lab.reports.rulings import (
    Decision,
    Order,
    Ruling,
    Side,
    margin_ruling,
    mean_text,
    order_ruling,
    trend_ruling,
    value_ruling,
)

SAMPLES = 10_000
TEST_SEED = 20040725
SIDES = {"equal": "", "at_least": "≥ ", "at_most": "≤ "}
DIRECTIONS = ("rises", "falls", "peaks")
KINDS = ("value", "bound", "not_worse", "order", "trend")


@dataclass(frozen=True)
class Verdict:
    """What became of one claim.

    Attributes:
        claim: Its id in the study.
        kind: One of `KINDS`.
        says: The claim in words.
        source: Where the paper makes it.
        published: The paper's number with its side and tolerance, if it has one.
        ours: What was measured, as text; empty when nothing was.
        verdict: The verdict.
        reason: Why, in one sentence.
        more_seeds: Of an inconclusive claim, how many more seeds of each row would decide it; None where unknown.
    """

    claim: str
    kind: str
    says: str
    source: str
    published: str | None
    ours: str
    verdict: Decision
    reason: str
    more_seeds: int | None


def judge(
    claims: Mapping[str, Mapping[str, Any]], measured: Sequence[Measured], *, rows: Sequence[str] = ()
) -> list[Verdict]:
    """Give the verdict on every claim of a study.

    The rules are those of `value_ruling`, `margin_ruling`, `order_ruling` and `trend_ruling`; a `bound` is a value
    whose limit is the study's own reading of the paper's words, not a number of the paper. A `row` that names a block
    stands for all of its rows: its value for a seed is the mean over the rows, from the seeds that all of them have.
    Evaluations of the same trainings are compared on the seeds that have both.
    Order claims that are still open count in Holm's correction with p = 1, so that a later measurement never weakens a
    verdict.

    Args:
        claims: By id, as in study.yaml. `evaluation` and `score` may be left out where a row was measured under one
            alone. `across_data: true` in an order or a trend allows rows measured on different data or splits.
        measured: Everything that was measured.
        rows: Names of all rows of the study; a block then stays open until each of its rows is measured.

    Raises:
        RequestError: If a claim compares scores of different signatures, splits or data, does not say which of several
            evaluations or scores it means, or its settings are not those of a claim.
    """
    found = Measurements(measured, rows)
    kinds = {claim: _kind(claim, settings) for claim, settings in claims.items()}
    orders = _corrected(
        {claim: _order(claim, claims[claim], found) for claim, kind in kinds.items() if kind == "order"}
    )
    verdicts = []
    for claim, settings in claims.items():
        kind = kinds[claim]
        try:
            if kind == "order":
                outcome = orders[claim]
                if isinstance(outcome, NotMeasuredError):
                    raise outcome
                ours, ruling = _against(outcome.better, outcome.worse), order_ruling(outcome)
            else:
                ours, ruling = JUDGES[kind](claim, settings, found)
        except NotMeasuredError as missing:
            ours, ruling = "", Ruling("open", str(missing))
        texts = (str(settings.get("says") or ""), str(settings.get("source") or ""), _published(settings))
        verdicts.append(Verdict(claim, kind, *texts, ours, ruling.decision, ruling.reason, ruling.more_seeds))
    return verdicts


def _kind(claim: str, settings: Mapping[str, Any]) -> str:
    kind = settings.get("kind")
    if kind not in KINDS:
        raise RequestError(f"claim {claim}: kind is {kind!r}; expected {', '.join(KINDS)}")
    return kind


def _number(claim: str, settings: Mapping[str, Any], key: str) -> float:
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RequestError(f"claim {claim}: {key} is {value!r}; expected a number")
    return float(value)


def _value(claim: str, settings: Mapping[str, Any], found: Measurements) -> tuple[str, Ruling]:
    side = settings.get("side") or "equal"
    if side not in SIDES:
        raise RequestError(f"claim {claim}: side is {side!r}; expected {', '.join(SIDES)}")
    published = _number(claim, settings, "published")
    tolerance = _number(claim, settings, "tolerance") if side == "equal" or "tolerance" in settings else 0.0
    if tolerance < 0:
        raise RequestError(f"claim {claim}: tolerance is {tolerance}; expected 0 or more")
    return _within(claim, settings, found, published, tolerance, side)


def _bound(claim: str, settings: Mapping[str, Any], found: Measurements) -> tuple[str, Ruling]:
    side = settings.get("side")
    if side not in SIDES or side == "equal":
        raise RequestError(f"claim {claim}: side is {side!r}; expected at_least or at_most")
    return _within(claim, settings, found, _number(claim, settings, "limit"), 0.0, side)


def _within(
    claim: str, settings: Mapping[str, Any], found: Measurements, value: float, tolerance: float, side: Side
) -> tuple[str, Ruling]:
    items = found.find(claim, _row(claim, settings), settings.get("evaluation"), settings.get("score"))
    check_comparable(claim, items)
    values = seed_means(items)
    unit = unit_of(items[0].signature)
    ours = f"{mean_text(values)}{unit.suffix} ({_seeds_text(len(values))})"
    return ours, value_ruling(values, value, tolerance, side, unit.bounds())


def _not_worse(claim: str, settings: Mapping[str, Any], found: Measurements) -> tuple[str, Ruling]:
    margin, than = _number(claim, settings, "margin"), settings.get("than")
    if margin <= 0:
        raise RequestError(f"claim {claim}: margin is {margin}; expected a number above 0")
    one = {"row": _row(claim, settings)}
    sides = of_shared_seeds([_side(claim, name, own, settings, found) for name, own in (("row", one), ("than", than))])
    check_comparable(claim, [item for side in sides for item in side], across_data=bool(settings.get("across_data")))
    ours, other = (seed_means(side) for side in sides)
    ruling = margin_ruling(
        ours, other, margin, higher_is_better=sides[0][0].higher_is_better, same_models=_same_models(*sides)
    )
    return _against(ours, other), ruling


def _trend(claim: str, settings: Mapping[str, Any], found: Measurements) -> tuple[str, Ruling]:
    direction = settings.get("direction")
    if direction not in DIRECTIONS:
        raise RequestError(f"claim {claim}: direction is {direction!r}; expected {', '.join(DIRECTIONS)}")
    along = "evaluations" if "evaluations" in settings else "rows"
    names, least = settings.get(along), 3 if direction == "peaks" else 2
    if not isinstance(names, list | tuple) or len(set(map(str, names))) < max(least, len(names)):
        raise RequestError(f"claim {claim}: {along} is {names!r}; expected at least {least} different {along} in order")
    score, evaluation = settings.get("score"), settings.get("evaluation")
    if along == "evaluations":
        found_of = of_shared_seeds([found.find(claim, _row(claim, settings), str(name), score) for name in names])
    else:
        found_of = [found.find(claim, str(name), evaluation, score) for name in names]
    items = [item for each in found_of for item in each]
    check_comparable(claim, items, across_data=bool(settings.get("across_data")))
    scores = {str(name): seed_means(each) for name, each in zip(names, found_of, strict=True)}
    same = all(_same_models(found_of[0], each) for each in found_of[1:])
    ruling = trend_ruling(scores, direction, higher_is_better=items[0].higher_is_better, same_models=same)
    ours = ", ".join(mean_text(values) for values in scores.values())
    return f"{ours} ({_seeds_text(*map(len, scores.values()))})", ruling


JUDGES = {"value": _value, "bound": _bound, "not_worse": _not_worse, "trend": _trend}
"""By kind; orders are corrected together."""


def _order(claim: str, settings: Mapping[str, Any], found: Measurements) -> Order | NotMeasuredError:
    """Test the two sides, without correction."""
    sides = []
    for side in ("better", "worse"):
        try:
            sides.append(_side(claim, side, settings.get(side), settings, found))
        except NotMeasuredError as missing:
            return missing
    better, worse = of_shared_seeds(sides)
    check_comparable(claim, [*better, *worse], across_data=bool(settings.get("across_data")))
    values = seed_means(better), seed_means(worse)
    same = _same_models(better, worse)
    paired = len({(item.split, item.data_fingerprint) for item in (*better, *worse)}) == 1
    return Order(
        *values,
        higher_is_better=better[0].higher_is_better,
        over_seeds=(paired_test if same else welch_test)(*values).p_value if min(map(len, values)) > 1 else None,
        over_sentences=_paired_p_value(better, worse) if paired else None,
        paired=paired,
        same_models=same,
    )


def _side(claim: str, name: str, own: Any, settings: Mapping[str, Any], found: Measurements) -> Sequence[Measured]:
    """Find what one side of a comparison names."""
    if not isinstance(own, Mapping) or not set(own) <= {"row", "evaluation"}:
        raise RequestError(f"claim {claim}: {name} is {own!r}; expected row and perhaps evaluation")
    evaluation = own.get("evaluation", settings.get("evaluation"))
    return found.find(claim, _row(claim, own), evaluation, settings.get("score"))


def _same_models(one: Sequence[Measured], other: Sequence[Measured]) -> bool:
    """Tell whether two measurements are of the same trainings, seed by seed."""
    return [(item.row, item.seeds) for item in one] == [(item.row, item.seeds) for item in other]


def _paired_p_value(better: Sequence[Measured], worse: Sequence[Measured]) -> float | None:
    sides = [[item.statistics for item in side] for side in (better, worse)]
    if any(statistics is None for side in sides for statistics in side):
        return None
    a, b = ([array for statistics in side if statistics is not None for array in statistics] for side in sides)
    metric = aggregate_of(better[0].score, better[0].signature)
    return paired_bootstrap(metric, a, b, samples=SAMPLES, seed=TEST_SEED).p_value


def _corrected(orders: Mapping[str, Order | NotMeasuredError]) -> dict[str, Order | NotMeasuredError]:
    """Correct the p-values over all order claims; what is not measured counts with p = 1."""
    tests = {claim: order for claim, order in orders.items() if isinstance(order, Order)}
    corrected: dict[str, Order | NotMeasuredError] = dict(orders)
    for fact in ("over_seeds", "over_sentences"):
        raw = [getattr(tests[claim], fact) if claim in tests else None for claim in orders]
        adjusted = holm([1.0 if p_value is None else p_value for p_value in raw])
        for claim, before, after in zip(orders, raw, adjusted, strict=True):
            order = corrected[claim]
            if before is not None and isinstance(order, Order):
                corrected[claim] = replace(order, tests=len(orders), **{fact: after})
    return corrected


def _row(claim: str, settings: Mapping[str, Any]) -> str:
    row = settings.get("row")
    if not isinstance(row, str) or not row:
        raise RequestError(f"claim {claim}: row is {row!r}; expected the name of a row")
    return row


def _against(ours: Sequence[float], other: Sequence[float]) -> str:
    seeds, effect = _seeds_text(len(ours), len(other)), hedges_g(ours, other).g
    size = f"; Hedges' g {decimal(effect, 2)}" if math.isfinite(effect) else ""
    return f"{mean_text(ours)} against {mean_text(other)} ({seeds}{size})"


def _seeds_text(*counts: int) -> str:
    """Tell the numbers of seeds, one for all where they are the same."""
    told = counts[:1] if len(set(counts)) == 1 else counts
    return f"{', '.join(map(str, told))} seed{'' if told == (1,) else 's'}"


def _published(settings: Mapping[str, Any]) -> str | None:
    published = settings.get("published")
    if published is None:
        return None
    text = f"{SIDES.get(str(settings.get('side') or 'equal'), '')}{published}"
    return f"{text} ± {settings['tolerance']}" if settings.get("tolerance") else text
