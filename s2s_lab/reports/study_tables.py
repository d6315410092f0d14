"""The tables of a study's page: rows by evaluation, those on the same data together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2s_lab.faults import RequestError
from s2s_lab.metrics.significance import t_interval
from s2s_lab.records.results import Entry
from s2s_lab.records.study_file import Study
from s2s_lab.records.study_rows import Row
from s2s_lab.reports.numbers import count, decimal, digits_for, duration, title_of, unit_of
from s2s_lab.reports.vocabularies import counts_tokens, several_vocabularies

if TYPE_CHECKING:
    from s2s_lab.reports.claims import Measured


@dataclass(frozen=True)
class ScoreTable:
    """Rows that were evaluated in the same way on the same data.

    Attributes:
        evaluation: its name.
        split: the split's name.
        fingerprint: of its texts.
        sentences: how many.
        headings: of the columns.
        lines: cells of each row.
        signatures: name of a score -> its signature.
        notes: what was left out and why.
    """

    evaluation: str
    split: str
    fingerprint: str
    sentences: int
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    signatures: dict[str, str]
    notes: tuple[str, ...]


def score_tables(study: Study, jobs: Sequence[Entry], measured: "Sequence[Measured]") -> list[ScoreTable]:
    """Lay out all scores.

    Raises:
        RequestError: if a score has different signatures in one table, naming the difference; perplexities over
            different vocabularies are left out.
    """
    groups: dict[tuple[str, str, str], list[Measured]] = {}
    for item in measured:
        groups.setdefault((item.evaluation, item.split, item.data_fingerprint), []).append(item)
    order = list(study.evaluations)
    return [_table(study, jobs, key, groups[key]) for key in sorted(groups, key=lambda key: order.index(key[0]))]


def row_title(row: Row) -> str:
    """Name a row in a table: its name, and what the study calls it."""
    return f"`{row.name}`" + (f" {cell(row.title)}" if row.title != row.block else "")


def cell(text: str) -> str:
    """Write text so that Markdown shows it as it is, in one cell of a table."""
    for mark in "\\|`*_[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())


def spread(values: Sequence[float], digits: int) -> str:
    """Write mean ± half of the 95 % t-interval; the value alone of one seed."""
    interval = t_interval(values)
    text = decimal(interval.mean, digits)
    return f"{text} ± {decimal(interval.high - interval.mean, digits)}" if interval.n > 1 else text


def _table(study: Study, jobs: Sequence[Entry], key: tuple[str, str, str], items: "Sequence[Measured]") -> ScoreTable:
    evaluation, split, fingerprint = key
    signatures, notes = _signatures(study, evaluation, items)
    names = list(signatures)
    digits = {name: digits_for([v for item in items if item.score == name for v in item.values]) for name in names}
    lines, sentences = [], 0
    for row in study.rows:
        own = {item.score: item for item in items if item.row == row.name}
        if not own:
            continue
        seeds = {seed for item in own.values() for seed in (*item.seeds, *item.lost)}
        entries = [entry for entry in jobs if entry["row"] == row.name and entry["seed"] in seeds]
        sentences = max(e["evaluations"][evaluation].get("sentences") or 0 for e in entries)
        cells = [_cell(own.get(name), digits[name]) for name in names]
        facts = (count(_mean(entries, "parameters")), duration(_mean(entries, "seconds")))
        short = any((entry.get("under_trained") or {}).get("flag") for entry in entries)
        marks = " †" * short + " ‡" * any(entry.get("stopped_by") == "max_minutes" for entry in entries)
        lines.append((row_title(row) + marks, f"{len(seeds)} of {len(row.seeds)}", *cells, *facts))
    headings = [title_of(name) + unit_of(signatures[name]).suffix for name in names]
    return ScoreTable(
        evaluation, split, fingerprint, sentences, ("row", "seeds", *headings, "parameters", "training"), tuple(lines),
        signatures, tuple(notes),
    )  # fmt: skip


def _cell(item: "Measured | None", digits: int) -> str:
    if item is None:
        return decimal(None)
    known = len(item.seeds)
    return spread(item.values, digits) + (f" ({known} seed{'s' * (known != 1)})" if item.lost else "")


def _signatures(study: Study, evaluation: str, items: "Sequence[Measured]") -> tuple[dict[str, str], list[str]]:
    first: dict[str, Measured] = {}
    left_out: dict[str, str] = {}
    several = several_vocabularies(item.signature for item in items)
    for item in items:
        if several and counts_tokens(item.signature):
            left_out[item.score] = f"{title_of(item.score)} is left out: it was measured over different vocabularies."
            continue
        other = first.setdefault(item.score, item)
        if item.signature == other.signature:
            continue
        raise RequestError(
            f"{study.path}: {item.score} ({evaluation}) of rows {other.row} and {item.row} have different signatures "
            f"({other.signature[:80]} and {item.signature[:80]}); such scores cannot share a column"
        )
    return {name: item.signature for name, item in first.items()}, list(left_out.values())


def _mean(entries: Sequence[Entry], fact: str) -> float | None:
    values = [entry[fact] for entry in entries if isinstance(entry.get(fact), int | float)]
    return sum(values) / len(values) if values else None
