"""The table of decoders in the terminal, and as a file: Markdown, CSV or JSON."""

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import signature_kind
from s2s_lab.metrics.significance import Interval
from s2s_lab.records.durable import plain, write_durably
from s2s_lab.reports.decoder_rows import DecoderRow, DecoderTable
from s2s_lab.reports.decoders import OF_THE_MODEL
from s2s_lab.reports.entries import ScoreKind
from s2s_lab.reports.numbers import OF_OUTPUTS, decimal, digits_for, p_text, rate, title_of, unit_of
from s2s_lab.reports.study_tables import cell
from s2s_lab.reports.terminal import print_table

ENDINGS = (".md", ".csv", ".json")
SHORT = {
    "length_ratio": "length", "empty_outputs": "empty %", "distinct_1": "dist-1", "distinct_2": "dist-2",
    "self_bleu": "selfBLEU", "oracle_bleu": "oracle", "log_prob": "log p", "token_log_prob": "log p/tok",
}  # fmt: skip
ORDER = ("log_prob", "empty_outputs", "length_ratio", "oracle_bleu", "self_bleu", "distinct_1", "distinct_2")
FRONT = "•"
LONGEST_LABEL = 26  # characters of a strategy's label in a narrow terminal


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        title: Its heading.
        cell: What a row has there; empty where it has nothing.
        worth: Columns of the least worth are left out first; infinite for those that always stay.
    """

    title: str
    cell: Callable[[DecoderRow], str]
    worth: float = math.inf


def check_table_file(name: str | None) -> None:
    """Refuse a file that the table could not be written to.

    Raises:
        RequestError: If its ending is not known or its folder does not exist.
    """
    if name is None:
        return
    if Path(name).suffix not in ENDINGS:
        raise RequestError(f"table={name}: a file that ends in {', '.join(ENDINGS)} is expected")
    if not Path(name).resolve().parent.is_dir():
        raise RequestError(f"table={name}: there is no folder {Path(name).resolve().parent}")


def print_decoders(table: DecoderTable, console: Console) -> None:
    """Print the table as wide as the console is; what finds no room is named below it."""
    console.print(f"[bold]{escape(table.split)}[/]: {table.sentences:,} sentences")
    columns = columns_of(table)
    left_out: list[str] = []
    narrow = False
    while _width(_rich(table, columns, narrow), console) > console.width:
        spare = [column for column in columns if column.worth < math.inf]
        if spare:
            least = min(spare, key=lambda column: column.worth)
            columns.remove(least)
            left_out.append(least.title)
        elif not narrow:
            narrow = True
        else:
            break
    print_table(_rich(table, columns, narrow), console)
    for line in _explanation(table):
        console.print(f"[dim]{escape(line)}[/]")
    if left_out:
        named = ", ".join(reversed(left_out))
        console.print(f"[dim]left out for want of room: {escape(named)}; table=FILE.md has all[/]")


def write_decoders(tables: Sequence[DecoderTable], name: str) -> None:
    """Write tables to a file, which is replaced at once.

    Args:
        tables: One for each split.
        name: Its ending decides the form.
    """
    write = {".md": _write_markdown, ".csv": _write_csv, ".json": _write_json}[Path(name).suffix]
    write_durably(Path(name), lambda file: write(tables, file))


def columns_of(table: DecoderTable) -> list[Column]:
    """Give the columns of a table that at least one row has something in."""
    several = len({row.run for row in table.rows}) > 1
    quality = table.quality
    others = [kind for kind in table.kinds if not _kind(kind) & (OF_OUTPUTS | OF_THE_MODEL) and kind != quality]
    named = {kind.name: kind for kind in table.kinds if _kind(kind) & OF_OUTPUTS}
    ranked = [named[name] for name in ORDER if name in named]
    ranked += [kind for name, kind in named.items() if name not in ORDER]
    columns = [Column("run", lambda row: row.run)] if several else []
    columns += [Column("decoding", lambda row: row.strategy)]
    columns += [_score_column(quality, table, math.inf)] if quality else []
    columns += [Column("p", _test, 20.0)] if len(table.rows) > 1 else []
    columns += [Column("front", lambda row: FRONT if row.on_front else "")]
    columns += [Column("sent/s", lambda row: rate(row.sentences_per_second))]
    columns += [Column("err %", lambda row: _share(row.search_errors), 19.0)]
    columns += [Column("proved %", lambda row: _share(row.proved), 18.0)]
    columns += [_score_column(kind, table, 17.0 - place) for place, kind in enumerate(others)]
    columns += [_score_column(kind, table, 10.0 - place) for place, kind in enumerate(ranked)]
    columns += [Column("tok/s", lambda row: rate(row.tokens_per_second), 9.5)]
    return [column for column in columns if column.worth == math.inf or any(map(column.cell, table.rows))]


def _kind(kind: ScoreKind) -> frozenset[str]:
    return frozenset({signature_kind(kind.signature)})


def _score_column(kind: ScoreKind, table: DecoderTable, worth: float) -> Column:
    unit, quality = unit_of(kind.signature), kind == table.quality
    intervals = [row.scores[kind.name] for row in table.rows if kind.name in row.scores]
    digits = digits_for([interval.mean * unit.factor for interval in intervals])

    def cell(row: DecoderRow) -> str:
        interval = row.scores.get(kind.name)
        if interval is None:
            return ""
        text = decimal(interval.mean * unit.factor, digits)
        return f"{text} {_ends(interval, unit.factor, digits)}" if quality else text

    arrow = "" if signature_kind(kind.signature) in OF_OUTPUTS else " ↑" if kind.higher_is_better else " ↓"
    return Column(SHORT.get(kind.name) or f"{title_of(kind.name)}{unit.suffix}{arrow}", cell, worth)


def _ends(interval: Interval, factor: float, digits: int) -> str:
    return f"[{decimal(interval.low * factor, digits)}, {decimal(interval.high * factor, digits)}]"


def _share(value: float | None) -> str:
    return "" if value is None else decimal(100 * value, 1)


def _test(row: DecoderRow) -> str:
    if row.best:
        return "best"
    return "" if row.p_value is None else f"{p_text(row.p_value)}{' ▼' if row.worse else ''}"


def _explanation(table: DecoderTable) -> list[str]:
    lines = list(table.notes)
    if table.quality is not None and len(table.rows) > 1:
        lines.append(
            f"{title_of(table.quality.name)} with its 95 % bootstrap interval over sentences; p: paired test against "
            "the run's best row, Holm-corrected (▼ worse); front: nothing here is as good and as fast"
        )
    if any(row.search_errors is not None for row in table.rows):
        lines.append("err %: sentences with a known output that the model finds more probable")
    return lines


def _rich(table: DecoderTable, columns: Sequence[Column], narrow: bool) -> Table:
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        text = column.title in ("run", "decoding")
        most = LONGEST_LABEL if text and narrow else None
        drawn.add_column(
            escape(column.title), justify="left" if text else "right", no_wrap=not text, max_width=most, overflow="fold"
        )
    for row in table.rows:
        drawn.add_row(*(escape(column.cell(row)) for column in columns), style="bold" if row.best else None)
    return drawn


def _width(drawn: Table, console: Console) -> int:
    return console.measure(drawn, options=console.options.update(max_width=10_000)).maximum


def _write_markdown(tables: Sequence[DecoderTable], file: TextIO) -> None:
    for table in tables:
        columns = columns_of(table)
        file.write(f"### {cell(table.split)}: {table.sentences:,} sentences\n\n")
        file.write(f"| {' | '.join(cell(column.title) for column in columns)} |\n")
        file.write(f"|{'|'.join('---' if column.title in ('run', 'decoding') else '---:' for column in columns)}|\n")
        for row in table.rows:
            file.write(f"| {' | '.join(cell(column.cell(row)) for column in columns)} |\n")
        file.write("".join(f"\n{cell(line)}\n" for line in _explanation(table)))
        file.write("\n" if table is not tables[-1] else "")


def _write_csv(tables: Sequence[DecoderTable], file: TextIO) -> None:
    rows = [row for table in tables for row in table.plain_rows()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: "" if value is None else value for name, value in row.items()} for row in rows])


def _write_json(tables: Sequence[DecoderTable], file: TextIO) -> None:
    facts: list[dict[str, Any]] = [
        {
            "split": table.split,
            "sentences": table.sentences,
            "ranked_by": None if table.quality is None else table.quality.name,
            "signatures": {kind.name: kind.signature for kind in table.kinds},
            "notes": list(table.notes),
            "rows": table.plain_rows(),
        }
        for table in tables
    ]
    file.write(json.dumps(plain({"schema": 1, "tables": facts}), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
