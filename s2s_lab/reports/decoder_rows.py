"""The rows of the table of decoders, and the table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2s_lab.metrics.base import signature_kind
from s2s_lab.metrics.significance import Interval
from s2s_lab.reports.entries import LEVEL, ScoreKind


@dataclass(frozen=True)
class DecoderRow:
    """One run decoded with one strategy.

    Attributes:
        run: The run's label.
        seed: Of the run.
        strategy: The strategy's label.
        signature: The strategy's.
        folder: Of the evaluation.
        scores: Score name -> value and its 95 % bootstrap interval over sentences, in the unit of the record.
        sentences_per_second: Of encoding and decoding; None where it is not recorded.
        tokens_per_second: The same in tokens.
        search_errors: Share, 0 to 1, of sentences with a known output that is more probable by the metric's margin:
            of any strategy recorded for the run on this split, or the reference. None where nothing is known.
        proved: Share of sentences whose output is proved to score highest; None where the strategy does not say.
        best: Whether it leads its run in the score that ranks.
        p_value: Of the paired test against the best row of its run, corrected after Holm over the run's rows; None for
            the best itself, and where nothing can be tested.
        on_front: Whether no other row of the table is as good and as fast, and better in one of the two.
    """

    run: str
    seed: Any
    strategy: str
    signature: str
    folder: Path
    scores: dict[str, Interval]
    sentences_per_second: float | None
    tokens_per_second: float | None
    search_errors: float | None
    proved: float | None
    best: bool = False
    p_value: float | None = None
    on_front: bool = False

    @property
    def worse(self) -> bool:
        """Whether it is significantly worse than the best row of its run."""
        return self.p_value is not None and self.p_value < LEVEL


@dataclass(frozen=True)
class DecoderTable:
    """All of one split.

    Attributes:
        split: Its name.
        sentences: How many.
        kinds: The scores that rows have.
        quality: The one that ranks; None where no score is common to all rows.
        rows: Run by run, the best first.
        notes: What a reader must know.
    """

    split: str
    sentences: int
    kinds: tuple[ScoreKind, ...]
    quality: ScoreKind | None
    rows: tuple[DecoderRow, ...]
    notes: tuple[str, ...] = ()

    def plain_rows(self) -> list[dict[str, Any]]:
        """Give each row as one flat dict; intervals as NAME, NAME_low and NAME_high, None where nothing is known."""
        return [_plain(row, self) for row in self.rows]


def _plain(row: DecoderRow, table: DecoderTable) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "split": table.split,
        "run": row.run,
        "seed": row.seed,
        "strategy": row.strategy,
        "signature": row.signature,
        "folder": str(row.folder),
    }
    for kind in table.kinds:
        if signature_kind(kind.signature) == "search_errors":
            continue  # the references alone; the table knows more
        interval = row.scores.get(kind.name)
        ends = (None, None, None) if interval is None else (interval.mean, interval.low, interval.high)
        flat |= dict(zip((kind.name, f"{kind.name}_low", f"{kind.name}_high"), ends, strict=True))
    return {
        **flat,
        "sentences_per_second": row.sentences_per_second,
        "tokens_per_second": row.tokens_per_second,
        "search_errors": row.search_errors,
        "proved_optimal": row.proved,
        "best": row.best,
        "p_value": row.p_value,
        "on_front": row.on_front,
    }
