"""What the page shows of the table of decoders: every run decoded with every strategy, quality against speed."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from s2s_lab.metrics.base import signature_kind
from s2s_lab.metrics.search_errors import SearchErrors
from s2s_lab.metrics.significance import Interval
from s2s_lab.reports.entries import ScoreKind, SplitComparison
from s2s_lab.reports.numbers import digits_for, title_of, unit_of


class DecoderRow(Protocol):
    """One run decoded with one strategy."""

    @property
    def run(self) -> str:
        """The run's label."""
        ...

    @property
    def strategy(self) -> str:
        """The strategy's label."""
        ...

    @property
    def folder(self) -> Path:
        """Of the evaluation."""
        ...

    @property
    def signature(self) -> str:
        """The strategy's."""
        ...

    @property
    def scores(self) -> Mapping[str, Interval]:
        """Score name -> value (as mean) and its 95 % bootstrap interval over sentences, in the unit of the record."""
        ...

    @property
    def sentences_per_second(self) -> float | None:
        """Decoding speed; None where it is not recorded."""
        ...

    @property
    def tokens_per_second(self) -> float | None:
        """The same in tokens."""
        ...

    @property
    def search_errors(self) -> float | None:
        """Share, 0 to 1, of sentences with a better known output; None where that is not known."""
        ...


class DecoderTable(Protocol):
    """All of one split."""

    @property
    def rows(self) -> Sequence[DecoderRow]:
        """In the order of the table."""
        ...


def decoder_chart(table: DecoderTable, split: SplitComparison, order: Mapping[str, int]) -> dict[str, Any] | None:
    """Give the table as the page draws it.

    Args:
        table: Of the split.
        split: Whose scores are shown.
        order: Row key -> its place among the rows; a run has the colour of its row.

    Returns:
        `scores`: those that the table has, as names of the split's and the others' title, suffix, digits and
        direction; `rows`: for each run, row, strategy, symbol, signature, scores as [value, low, high], speed, tokens
        and errors in per cent. None where the table is empty.
    """
    if not table.rows:
        return None
    kinds = [kind for kind in split.scores if any(kind.name in row.scores for row in table.rows)]
    if any(
        row.search_errors is not None for row in table.rows
    ):  # against the best known output, not the reference alone
        kinds = [kind for kind in kinds if signature_kind(kind.signature) != SearchErrors.kind]
    strategies = list(dict.fromkeys(row.strategy for row in table.rows))
    places = _places(split, order, table.rows)
    return {
        "scores": [_column(kind, table.rows) for kind in kinds],
        "rows": [
            {
                "run": row.run,
                "row": places[row.run],
                "strategy": row.strategy,
                "symbol": strategies.index(row.strategy),
                "signature": row.signature,
                "scores": {
                    kind.name: _scaled(row.scores[kind.name], unit_of(kind.signature).factor)
                    for kind in kinds
                    if kind.name in row.scores and _finite(row.scores[kind.name].mean) is not None
                },
                "speed": _finite(row.sentences_per_second),
                "tokens": _finite(row.tokens_per_second),
                "errors": None if row.search_errors is None else 100 * row.search_errors,
            }
            for row in table.rows
        ],
    }


def _column(kind: ScoreKind, rows: Sequence[DecoderRow]) -> dict[str, Any]:
    unit = unit_of(kind.signature)
    return {
        "name": kind.name,
        "title": title_of(kind.name),
        "suffix": unit.suffix,
        "higher": kind.higher_is_better,
        "digits": digits_for([row.scores[kind.name].mean * unit.factor for row in rows if kind.name in row.scores]),
    }


def _scaled(interval: Interval, factor: float) -> list[float | None]:
    ends = (interval.mean, interval.low, interval.high)
    return [None if (value := _finite(end)) is None else value * factor for end in ends]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _places(split: SplitComparison, order: Mapping[str, int], rows: Sequence[DecoderRow]) -> dict[str, int]:
    """Give each run its row's place; runs of no row follow in their own order."""
    known = {each.folder.resolve(): order[entry.row.key] for entry in split.entries for each in entry.evaluations}
    places: dict[str, int] = {}
    for row in rows:
        place = known.get(row.folder.resolve())
        if place is not None:
            places[row.run] = place
    for row in rows:
        places.setdefault(row.run, len(order) + len(places))
    return places
