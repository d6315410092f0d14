"""The leaderboard of one split as texts and sort keys, for the page's table."""

from dataclasses import dataclass

from s2s_lab.reports.effects import HINTS, effect_kind, effect_of
from s2s_lab.reports.entries import Entry, ScoreKind, SplitComparison
from s2s_lab.reports.numbers import count, decimal, digits_for, duration, p_text, rate, title_of, unit_of
from s2s_lab.reports.wording import explanation, headline, mark


@dataclass(frozen=True)
class Cell:
    """One number of the table.

    Attributes:
        text: As shown.
        spread: What stands smaller beside it, such as half of the interval with its sign; empty when unknown.
        key: What sorting compares; None goes last.
    """

    text: str
    spread: str = ""
    key: float | None = None


@dataclass(frozen=True)
class Line:
    """One entry of the table.

    Attributes:
        label: The row's label.
        strategy: The strategy's label.
        row_key: The row's hash.
        seeds: How many.
        best: Whether it leads.
        mark: The sign of the test.
        under_trained: Why it is called so, or None.
        cells: Numbers, one for each column.
    """

    label: str
    strategy: str
    row_key: str
    seeds: int
    best: bool
    mark: str
    under_trained: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Column:
    """A numeric column: heading, hint (what it is exactly), and whether higher is better (None: neither)."""

    title: str
    hint: str
    higher_is_better: bool | None


@dataclass(frozen=True)
class Leaderboard:
    """The table of one split with the sentences around it."""

    split: str
    sentences: int
    fingerprint: str
    headline: str
    explanation: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    signatures: dict[str, str]
    monitor: str


def leaderboard(split: SplitComparison) -> Leaderboard:
    """Lay out one split."""
    scores = [
        Column(title_of(kind.name) + unit_of(kind.signature).suffix, kind.signature, kind.higher_is_better)
        for kind in split.scores
    ]
    kind = effect_kind(split)
    p_value = Column("p", "Holm-corrected p-value of the paired test against the best row", None)
    columns = [
        *scores,
        *([p_value] if split.decoded else []),
        *([Column("Letters", "Rows that share a letter are not told apart", None)] if _lettered(split) else []),
        *([Column(kind, HINTS[kind], None)] if kind else []),
        Column("Seeds", "Number of trainings that differ only in the seed", None),
        Column("Parameters", "Numbers learnt", None),
        Column("Training", "Time of one training, mean over seeds", False),
        Column("Steps", "Optimizer steps, mean over seeds", None),
        *([Column("Sentences/s", "Decoding speed, mean over seeds", True)] if split.decoded else []),
    ]
    return Leaderboard(
        split=split.split,
        sentences=split.sentences,
        fingerprint=split.fingerprint,
        headline=headline(split),
        explanation=(*explanation(split), *split.notes),
        columns=tuple(columns),
        lines=tuple(_line(entry, split) for entry in split.entries),
        signatures={title_of(kind.name): kind.signature for kind in split.scores},
        monitor="" if split.monitor is None else title_of(split.monitor.name),
    )


def _line(entry: Entry, split: SplitComparison) -> Line:
    row, versus = entry.row, entry.versus
    test = Cell("best", key=2.0) if entry.best else Cell("")
    if versus is not None:
        test = Cell(p_text(versus.p_value), key=versus.p_value)
    tests = [test] if split.decoded else []
    if _lettered(split):
        tests.append(Cell(entry.letters, key=-float(split.entries.index(entry))))
    kind = effect_kind(split)
    if kind:
        effect = effect_of(entry, kind)
        tests.append(Cell(effect.text, effect.interval, effect.value))
    facts = [
        (count(row.mean("parameters")), row.mean("parameters")),
        (duration(row.mean("seconds")), row.mean("seconds")),
        (count(row.mean("steps")), row.mean("steps")),
        *([(rate(entry.sentences_per_second), entry.sentences_per_second)] if split.decoded else []),
    ]
    return Line(
        label=row.label,
        strategy=entry.strategy,
        row_key=row.key,
        seeds=len(entry.runs),
        best=entry.best and len(split.entries) > 1,
        mark=mark(entry),
        under_trained=row.under_trained,
        cells=(
            *(_score(entry, kind, split) for kind in split.scores),
            *tests,
            Cell(str(len(entry.runs)), key=float(len(entry.runs))),
            *(Cell(text, key=key) for text, key in facts),
        ),
    )


def _score(entry: Entry, kind: ScoreKind, split: SplitComparison) -> Cell:
    measure = entry.measures.get(kind.name)
    if measure is None or measure.interval is None:
        return Cell(decimal(None))
    factor = unit_of(kind.signature).factor
    digits = column_digits(kind, split)
    interval = measure.interval
    spread = f"± {decimal((interval.high - interval.low) / 2 * factor, digits)}" if interval.n > 1 else ""
    return Cell(decimal(interval.mean * factor, digits), spread, interval.mean)


def _lettered(split: SplitComparison) -> bool:
    return any(entry.letters for entry in split.entries)


def column_digits(kind: ScoreKind, split: SplitComparison) -> int:
    """Give the digits after the point that all numbers of a score's column have."""
    factor = unit_of(kind.signature).factor
    measures = [entry.measures[kind.name] for entry in split.entries if kind.name in entry.measures]
    return digits_for([value * factor for measure in measures for value in measure.values])
