"""A study on the page: its claims with their verdicts, and what was measured of its rows."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from s2s_lab.metrics.significance import t_interval
from s2s_lab.reports.claims import Measured, Verdict
from s2s_lab.reports.numbers import decimal, digits_for, title_of, unit_of
from s2s_lab.reports.rulings import more_seeds_text

ORDER = ("reproduced", "not reproduced", "inconclusive", "open")
SIGNS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?", "open": "○"}


@dataclass(frozen=True)
class StudyView:
    """What the page shows of a study.

    Attributes:
        title: Of the paper or the comparison.
        citation: Authors, year, venue; may be empty.
        source: Where the paper is read; may be empty.
        about: What our recipe does differently; may be empty.
        verdicts: On its claims.
        measured: Its rows' scores.
    """

    title: str
    citation: str
    source: str
    about: str
    verdicts: tuple[Verdict, ...]
    measured: tuple[Measured, ...]


@dataclass(frozen=True)
class ClaimLine:
    """One claim of the table.

    Attributes:
        says: The claim in words, or its id.
        source: Where the paper makes it.
        published: The paper's number, or a dash.
        ours: What was measured, or a dash.
        verdict: The verdict.
        sign: Its sign.
        kind: Its class in the style sheet.
        reason: Why, and how many more seeds would decide it.
    """

    says: str
    source: str
    published: str
    ours: str
    verdict: str
    sign: str
    kind: str
    reason: str


@dataclass(frozen=True)
class ClaimsSection:
    """The table of claims with the sentence above it."""

    headline: str
    lines: tuple[ClaimLine, ...]


def claims_section(verdicts: Sequence[Verdict]) -> ClaimsSection:
    """Lay out verdicts in the study's order."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    parts = [f"{counts[kind]} {kind}" for kind in ORDER if counts[kind]]
    number = f"{len(verdicts)} claim{'' if len(verdicts) == 1 else 's'}"
    return ClaimsSection(f"{number}: {', '.join(parts)}." if parts else "", tuple(map(_line, verdicts)))


def measured_groups(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Give the rows' scores as the page's chart and table draw them, one group for each evaluation and score.

    Returns:
        For each group its title, suffix, digits, direction, least and greatest value, and rows: label, evaluation,
        seeds, values, mean and interval ends (None from one seed), and the mean as text.
    """
    groups: dict[tuple[str, str], list[Measured]] = {}
    for item in measured:
        if item.values and all(map(math.isfinite, item.values)):
            groups.setdefault((item.evaluation, item.score), []).append(item)
    return [_group(evaluation, score, items) for (evaluation, score), items in groups.items()]


def _group(evaluation: str, score: str, items: Sequence[Measured]) -> dict[str, Any]:
    unit = unit_of(items[0].signature)
    digits = digits_for([value for item in items for value in item.values])
    rows = []
    for item in items:
        interval = t_interval(item.values)
        several = interval.n > 1
        spread = f"± {decimal(interval.high - interval.mean, digits)}" if several else ""
        rows.append({
            "label": item.row,
            "seeds": [str(seed) for seed in item.seeds],
            "values": list(item.values),
            "mean": interval.mean,
            "low": interval.low if several else None,
            "high": interval.high if several else None,
            "text": decimal(interval.mean, digits),
            "spread": spread,
            "split": item.split,
        })  # fmt: skip
    return {
        "title": f"{title_of(score)}{unit.suffix}, {evaluation}",
        "suffix": unit.suffix,
        "digits": digits,
        "higher": items[0].higher_is_better,
        "low": unit.low,
        "high": unit.high,
        "rows": rows,
    }


def _line(verdict: Verdict) -> ClaimLine:
    more = more_seeds_text(verdict.more_seeds)
    reason = verdict.reason[:1].upper() + verdict.reason[1:]
    return ClaimLine(
        says=verdict.says or verdict.claim,
        source=verdict.source,
        published=verdict.published or decimal(None),
        ours=verdict.ours.replace(" ±", "\u00a0±").replace("± ", "±\u00a0") or decimal(None),
        verdict=verdict.verdict,
        sign=SIGNS[verdict.verdict],
        kind=verdict.verdict.replace(" ", "-"),
        reason=" ".join(filter(None, (f"{reason}." if reason else "", more))),
    )
