"""What a comparison consists of: entries with their measures and tests, splits, and all of them together."""

from dataclasses import dataclass
from typing import Any

from s2s_lab.metrics.all_pairs import Test
from s2s_lab.metrics.seeds import EffectSize
from s2s_lab.metrics.significance import Interval, PairedTest
from s2s_lab.records.evaluation import Evaluation
from s2s_lab.reports.runs import Leftover, Row, Run

LEVEL = 0.05


@dataclass(frozen=True)
class Measure:
    """One score of one entry.

    Attributes:
        values: One for each seed; NaN where the record has none.
        interval: Mean and 95 % t-interval over the seeds; None when a value is missing.
    """

    values: tuple[float, ...]
    interval: Interval | None


@dataclass(frozen=True)
class Versus:
    """The paired test of an entry against the best one of its split.

    Attributes:
        test: Entry minus best.
        p_value: Holm-corrected over all tests of the split.
        effect: Entry minus best over their seeds; NaN where one of them has a single seed.
    """

    test: PairedTest
    p_value: float
    effect: EffectSize

    @property
    def worse(self) -> bool:
        """Whether the difference is significant."""
        return self.p_value < LEVEL


@dataclass(frozen=True)
class Entry:
    """A row decoded with one strategy on one split.

    Attributes:
        row: The row.
        strategy: The strategy's label, unique for its settings within the split.
        runs: The row's runs that were evaluated so.
        evaluations: Their evaluations, in the same order.
        measures: Score name -> measure.
        best: Whether it leads the split.
        versus: Test against the best entry; None for the best itself, or when there is nothing to test.
        letters: Entries that share one are not told apart; empty when not all pairs were tested.
    """

    row: Row
    strategy: str
    runs: tuple[Run, ...]
    evaluations: tuple[Evaluation, ...]
    measures: dict[str, Measure]
    best: bool = False
    versus: Versus | None = None
    letters: str = ""

    @property
    def label(self) -> str:
        """Row and strategy."""
        return f"{self.row.label} · {self.strategy}"

    @property
    def sentences_per_second(self) -> float | None:
        """Mean over seeds."""
        rates = [evaluation.facts.get("sentences_per_second") for evaluation in self.evaluations]
        known = [rate for rate in rates if isinstance(rate, int | float)]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class ScoreKind:
    """What a column of scores is: its name, its signature (the same in all entries) and its direction."""

    name: str
    signature: str
    higher_is_better: bool


@dataclass(frozen=True)
class SplitComparison:
    """All entries of one split.

    Attributes:
        split: Its name.
        sentences: Number of sentences.
        fingerprint: Of its texts.
        scores: The columns.
        monitor: The column that ranks; None when no score is common to all entries.
        entries: Best first.
        notes: What was left out and why.
        test: Which paired test.
        tests: Number of tests that were corrected together.
    """

    split: str
    sentences: int
    fingerprint: str
    scores: tuple[ScoreKind, ...]
    monitor: ScoreKind | None
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    test: Test = "bootstrap"
    tests: int = 0

    @property
    def decoded(self) -> bool:
        """Whether there are outputs of the entries, rather than scores alone."""
        return any(entry.evaluations for entry in self.entries)


@dataclass(frozen=True)
class Comparison:
    """Rows, their entries on each split, and what is beside them.

    Attributes:
        rows: All rows with a finished run.
        splits: By name.
        leftovers: Runs in no row.
        unevaluated: Rows without any evaluation, but for those of outputs that were handed in.
        differences: Dotted key -> value in each row.
    """

    rows: tuple[Row, ...]
    splits: tuple[SplitComparison, ...]
    leftovers: tuple[Leftover, ...]
    unevaluated: tuple[Row, ...]
    differences: dict[str, list[Any]]
