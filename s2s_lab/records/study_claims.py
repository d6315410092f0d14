"""The claims of a study: each kind's keys, the rows and evaluations that they name, all checked."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.nearest import one_of
from s2s_lab.records.shape import Exactly, Maybe, check_shape

NUMBER = (int, float)
SIDES = ("equal", "at_least", "at_most")
BOUND_SIDES = ("at_least", "at_most")
DIRECTIONS = ("rises", "falls", "peaks")
SHOWN = Maybe(says=str, source=str)
ACROSS = Maybe(evaluation=str, across_data=bool)
ALONG = {"rows": [str], "row": str, "evaluations": [str]}
SHAPES = {
    "value": Exactly(row=str, score=str, published=NUMBER, others=Maybe(evaluation=str, side=str, tolerance=NUMBER)),
    "bound": Exactly(row=str, score=str, limit=NUMBER, side=str, others=Maybe(evaluation=str)),
    "not_worse": Exactly(row=str, than=Exactly(row=str), score=str, margin=NUMBER, others=ACROSS),
    "order": Exactly(better=Exactly(row=str), worse=Exactly(row=str), score=str, others=ACROSS),
    "trend": Exactly(direction=str, score=str, others=Maybe(**ALONG, evaluation=str, across_data=bool)),
}
KEYS = {
    "value": ("kind", "row", "score", "published", "evaluation", "side", "tolerance", "says", "source"),
    "bound": ("kind", "row", "score", "limit", "side", "evaluation", "published", "says", "source"),
    "not_worse": (
        "kind",
        "row",
        "than",
        "score",
        "margin",
        "evaluation",
        "across_data",
        "published",
        "says",
        "source",
    ),
    "order": ("kind", "better", "worse", "score", "evaluation", "across_data", "published", "says", "source"),
    "trend": (
        "kind",
        "rows",
        "row",
        "evaluations",
        "direction",
        "score",
        "evaluation",
        "across_data",
        "published",
        "says",
        "source",
    ),
}
IDENTIFIER = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Needed:
    """What a claim is about: one block or row, and one evaluation of it."""

    row: str
    evaluation: str


def check_claims(
    claims: Mapping[str, Any], rows: Mapping[str, Sequence[tuple[str, Sequence[str]]]], evaluations: Sequence[str],
    place: str,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Check all claims and fill in the evaluation where they leave it to the study.

    Args:
        claims: by identifier, as read.
        rows: name of a row or block -> its rows, each with the evaluations it gets.
        evaluations: names of the study's; the first is the default.
        place: the file, for messages.

    Returns:
        The claims, in their order, with `evaluation` and, of values, `side` and `tolerance` always there.

    Raises:
        RequestError: one line that names the place.
    """
    checked = {}
    for name, claim in claims.items():
        where = f"{place}: claims.{name}"
        if not IDENTIFIER.fullmatch(name):
            raise RequestError(f"{where}: a claim's name has letters a-z, digits and _ alone")
        if not isinstance(claim, Mapping):
            raise RequestError(f"{where} is {claim!r}, expected a mapping with `kind`")
        kind = one_of(claim.get("kind"), KEYS, f"{where}.kind: {claim.get('kind')!r}", "a kind of claim")
        for key in claim:
            one_of(key, KEYS[kind], f"{where}.{key}", f"a key of a claim of the kind {kind}")
        for side in ("better", "worse", "than"):
            for key in claim[side] if isinstance(claim.get(side), Mapping) else ():
                one_of(key, ("row", "evaluation"), f"{where}.{side}.{key}", "a key of one side of a comparison")
        check_shape(claim, SHAPES[kind], where)
        check_shape(claim, SHOWN, where)
        checked[name] = _complete(claim, kind, evaluations[0], where)
        for needed in needed_by(checked[name]):
            _check_needed(needed, rows, evaluations, where)
    return checked


def needed_by(claim: Mapping[str, Any]) -> list[Needed]:
    """Give what a checked claim is about: one of a value or bound, two of a comparison, each of a trend."""
    evaluation = claim["evaluation"]
    if claim["kind"] in ("value", "bound"):
        return [Needed(claim["row"], evaluation)]
    if claim["kind"] == "not_worse":
        return [Needed(claim["row"], evaluation), Needed(claim["than"]["row"], claim["than"]["evaluation"])]
    if claim["kind"] == "order":
        return [Needed(side["row"], side["evaluation"]) for side in (claim["better"], claim["worse"])]
    if "evaluations" in claim:
        return [Needed(claim["row"], each) for each in claim["evaluations"]]
    return [Needed(row, evaluation) for row in claim["rows"]]


def steps_of(claim: Mapping[str, Any]) -> list[str]:
    """Give the names along which a trend runs: of rows, or of the evaluations of one row."""
    return list(claim["evaluations"] if "evaluations" in claim else claim["rows"])


def _check_apart(one: Mapping[str, str], other: Mapping[str, str], sides: str, where: str) -> None:
    """Refuse a comparison of a row with itself, or of a block with one of its own rows."""
    if one == other:
        raise RequestError(f"{where}: {sides} are the same, {one['row']}")
    shorter, longer = sorted((one["row"], other["row"]), key=len)
    if longer.startswith(f"{shorter}["):
        raise RequestError(f"{where}: {sides} have trainings in common: {longer} is a row of {shorter}")


def _complete(claim: Mapping[str, Any], kind: str, default: str, where: str) -> dict[str, Any]:
    given = {key: value for key, value in claim.items() if value is not None}
    complete = {**given, "evaluation": given.get("evaluation") or default}
    if kind == "value":
        complete |= {"side": claim.get("side") or "equal", "tolerance": claim.get("tolerance") or 0.0}
        one_of(complete["side"], SIDES, f"{where}.side: {complete['side']}", "a side")
        _check_number(claim["published"], f"{where}.published")
        _check_number(complete["tolerance"], f"{where}.tolerance")
        if complete["tolerance"] < 0 or (complete["side"] == "equal" and not complete["tolerance"]):
            least = "above 0" if complete["side"] == "equal" else "of at least 0"
            raise RequestError(f"{where}.tolerance is {claim.get('tolerance')}, expected a number {least}")
        return complete
    published = claim.get("published")
    if not (published is None or isinstance(published, str | int | float)):
        raise RequestError(f"{where}.published is {published!r}, expected a number or text")
    if kind == "bound":
        one_of(claim["side"], BOUND_SIDES, f"{where}.side: {claim['side']}", "a side")
        _check_number(claim["limit"], f"{where}.limit")
        return complete
    if kind == "not_worse":
        _check_number(claim["margin"], f"{where}.margin")
        if claim["margin"] <= 0:
            raise RequestError(f"{where}.margin is {claim['margin']:g}, expected a number above 0")
        complete["than"] = _side(claim["than"], complete, f"{where}.than")
        own = {"row": claim["row"], "evaluation": complete["evaluation"]}
        _check_apart(own, complete["than"], "row and than", where)
        return complete
    if kind == "order":
        for side in ("better", "worse"):
            complete[side] = _side(claim[side], complete, f"{where}.{side}")
        _check_apart(complete["better"], complete["worse"], "better and worse", where)
        return complete
    one_of(claim["direction"], DIRECTIONS, f"{where}.direction: {claim['direction']}", "a direction")
    if set(given) & {"rows", "row", "evaluations"} not in ({"rows"}, {"row", "evaluations"}):
        raise RequestError(f"{where}: either rows, or row and evaluations, are expected")
    least, along = 3 if claim["direction"] == "peaks" else 2, "evaluations" if "evaluations" in given else "rows"
    if len(given[along]) < least or len(set(given[along])) < len(given[along]):
        raise RequestError(f"{where}.{along}: at least {least} different {along} are expected")
    return complete


def _side(given: Mapping[str, Any], claim: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give one side of a comparison, with the claim's evaluation where it names none."""
    check_shape(given, Maybe(evaluation=str), where)
    return {**given, "evaluation": given.get("evaluation") or claim["evaluation"]}


def _check_number(value: float, where: str) -> None:
    if not math.isfinite(value):
        raise RequestError(f"{where} is {value}, expected a finite number")


def _check_needed(
    needed: Needed, rows: Mapping[str, Sequence[tuple[str, Sequence[str]]]], evaluations: Sequence[str], where: str
) -> None:
    one_of(needed.row, rows, f"{where}: {needed.row}", "a row or block of this study")
    one_of(needed.evaluation, evaluations, f"{where}: {needed.evaluation}", "an evaluation of this study")
    for row, given in rows[needed.row]:
        if needed.evaluation not in given:
            raise RequestError(f"{where}: row {row} does not get the evaluation {needed.evaluation}")
