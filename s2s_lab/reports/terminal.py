"""The comparison as tables in the terminal."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from s2s_lab.reports.effects import effect_kind, effect_of
from s2s_lab.reports.entries import Comparison, Entry, ScoreKind, SplitComparison
from s2s_lab.reports.leaderboard import column_digits
from s2s_lab.reports.numbers import count, decimal, duration, p_text, rate, title_of, unit_of
from s2s_lab.reports.runs import Row, short
from s2s_lab.reports.validation import NAME as VALIDATION
from s2s_lab.reports.validation import validations
from s2s_lab.reports.wording import explanation, mark


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print everything `s2s-compare` says."""
    for split in comparison.splits:
        _print_split(split, console)
    if comparison.unevaluated:
        print_table(_table_of_rows(comparison.unevaluated), console)
        console.print("[dim]Best in validation: the mean of the seeds' best, ± half of its 95 % t-interval.[/]")
        console.print("[dim]These rows have no evaluation yet: s2s-evaluate runs=[DIR,...] split=test[/]\n")
    _print_differences(comparison, console)
    _print_leftovers(comparison, console)


def _print_split(split: SplitComparison, console: Console) -> None:
    console.print(f"[bold]{escape(split.split)}[/]: {split.sentences:,} sentences")
    whole = _table_of_entries(split, [*_score_columns(split), *_cost_columns()])
    if console.measure(whole, options=console.options.update(max_width=10_000)).maximum <= console.width:
        console.print(whole)
    else:
        print_table(_table_of_entries(split, _score_columns(split)), console)
        print_table(_table_of_entries(split, _cost_columns()), console)
    for line in [*explanation(split), *split.notes]:
        console.print(f"[dim]{escape(line)}[/]")
    for row in {entry.row.key: entry.row for entry in split.entries}.values():
        if row.under_trained:
            console.print(f"[yellow]* {escape(row.label)} is under-trained:[/] {escape(row.under_trained)}")
    for entry in split.entries:
        for run, evaluation in zip(entry.runs, entry.evaluations, strict=True):
            for warning in evaluation.facts.get("warnings") or []:
                console.print(f"[yellow]! {escape(entry.label)}, seed {run.seed}:[/] {escape(warning)}")
    console.print()


def print_table(table: Table, console: Console) -> None:
    """Print a table in its full width: in a narrow terminal its lines wrap, but nothing is cut off."""
    width = max(console.width, console.measure(table, options=console.options.update(max_width=10_000)).maximum)
    system = console.color_system
    wide = Console(file=console.file, width=width, force_terminal=console.is_terminal, color_system=system)  # type: ignore[arg-type]
    wide.print(table)


Columns = list[tuple[str, Callable[[Entry], str]]]


def _table_of_entries(split: SplitComparison, columns: Columns) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("row", no_wrap=True)
    table.add_column("decoding", no_wrap=True)
    for title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for entry in split.entries:
        star = " [yellow]*[/]" if entry.row.under_trained else ""
        cells = [escape(entry.row.label) + star, escape(entry.strategy), *(cell(entry) for _, cell in columns)]
        table.add_row(*cells, style="bold" if entry.best and len(split.entries) > 1 else None)
    return table


def _score_columns(split: SplitComparison) -> Columns:
    columns: Columns = []
    for kind in split.scores:
        arrow = "↑" if kind.higher_is_better else "↓"
        title = f"{title_of(kind.name)}{unit_of(kind.signature).suffix} {arrow}"
        columns.append((title, partial(_score, kind=kind, split=split)))
    columns.append(("p vs best", _test))
    if any(entry.letters for entry in split.entries):
        columns.append(("letters", lambda entry: entry.letters))
    effect = effect_kind(split)
    if effect:
        columns.append((effect, lambda entry: effect_of(entry, effect).text))
    return [*columns, ("seeds", lambda entry: str(len(entry.runs)))]


def _cost_columns() -> Columns:
    return [
        ("parameters", lambda entry: count(entry.row.mean("parameters"))),
        ("training", lambda entry: duration(entry.row.mean("seconds"))),
        ("steps", lambda entry: count(entry.row.mean("steps"))),
        ("sentences/s", lambda entry: rate(entry.sentences_per_second)),
    ]


def _test(entry: Entry) -> str:
    if entry.best:
        return "best"
    return f"{p_text(entry.versus.p_value)} {mark(entry)}" if entry.versus else ""


def _score(entry: Entry, *, kind: ScoreKind, split: SplitComparison) -> str:
    measure = entry.measures.get(kind.name)
    if measure is None or measure.interval is None:
        return decimal(None)
    unit = unit_of(kind.signature)
    digits = column_digits(kind, split)
    interval = measure.interval
    text = decimal(interval.mean * unit.factor, digits)
    half = (interval.high - interval.low) / 2 * unit.factor
    return f"{text} ± {decimal(half, digits)}" if interval.n > 1 else text


def _table_of_rows(rows: tuple[Row, ...]) -> Table:
    headings = ("row", "seeds", "parameters", "training", "steps", "best in validation")
    table = Table(*headings, box=SIMPLE_HEAD, pad_edge=False)
    found: dict[str, list[str]] = {}
    for split in validations(rows):
        kind = split.scores[0]
        where = split.split.removeprefix(VALIDATION).strip() or title_of(kind.name)
        for entry in split.entries:
            found.setdefault(entry.row.key, []).append(f"{_score(entry, kind=kind, split=split)} {where}")
    known = {row.key: row for row in rows}
    for key in dict.fromkeys([*found, *known]):  # the best first
        row = known[key]
        seeds = ", ".join(map(str, row.seeds))
        facts = [count(row.mean("parameters")), duration(row.mean("seconds")), count(row.mean("steps"))]
        table.add_row(escape(row.label), seeds, *facts, escape(", ".join(found.get(key, []))))
    return table


def _print_differences(comparison: Comparison, console: Console) -> None:
    if len(comparison.rows) < 2:
        return
    console.print("[bold]Where the configurations differ[/]")
    if not comparison.differences:
        console.print("nowhere")
    for key, values in comparison.differences.items():
        console.print(f"  {escape(key)}: {escape(grouped_values(comparison, values))}", soft_wrap=True)
    console.print()


def grouped_values(comparison: Comparison, values: list[Any]) -> str:
    """Write the values of one key with the rows that have each: `0.1 (rnn, gru); 0.2 (lstm)`."""
    groups: dict[str, list[str]] = {}
    for row, value in zip(comparison.rows, values, strict=True):
        groups.setdefault(short(value), []).append(row.label)
    return "; ".join(f"{value} ({', '.join(labels)})" for value, labels in groups.items())


def _print_leftovers(comparison: Comparison, console: Console) -> None:
    if not comparison.leftovers:
        return
    console.print("[bold]Not in the tables[/]")
    for leftover in comparison.leftovers:
        run = leftover.run
        seed = "" if run.seed is None else f" seed {run.seed}"
        line = f"  {run.name}{seed}: {leftover.reason}  {run.folder.path}"
        console.print(escape(line), soft_wrap=True, highlight=False)
