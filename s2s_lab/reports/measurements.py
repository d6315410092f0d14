"""What a study measured, and where a claim finds the scores that it speaks of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2s_lab.faults import RequestError


@dataclass(frozen=True, eq=False)
class Measured:
    """One score of one row of a study under one of its evaluations.

    Attributes:
        row: The row's name; a row of a block is called `block[key=value,...]`.
        evaluation: The evaluation's name.
        score: The score's name.
        values: One for each seed, in the unit of the tables (shares in per cent).
        seeds: They are of.
        statistics: For each seed (sentences, k), those of the same sentences in the same order; None where not kept.
        signature: The score's.
        split: Of the evaluation.
        data_fingerprint: Of the split's texts.
        higher_is_better: False for errors and perplexity.
        lost: Seeds that were evaluated and have no finite score.
    """

    row: str
    evaluation: str
    score: str
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    statistics: tuple[np.ndarray, ...] | None
    signature: str
    split: str
    data_fingerprint: str
    higher_is_better: bool
    lost: tuple[int, ...] = ()


class NotMeasuredError(Exception):
    """A claim needs what has not been measured; the message says what."""


class Measurements:
    """Finds what a claim's row was measured to be."""

    def __init__(self, measured: Sequence[Measured], rows: Sequence[str]) -> None:
        self.rows = rows
        self.known: dict[tuple[str, str, str], Measured] = {}
        for item in measured:
            key = (item.row, item.evaluation, item.score)
            if key in self.known:
                raise RequestError(f"row {item.row}: {item.score} under {item.evaluation} is given twice")
            if len(item.values) != len(item.seeds) or len(set(item.seeds)) != len(item.seeds):
                raise RequestError(
                    f"row {item.row}: seeds are {item.seeds} for {len(item.values)} values of {item.score}"
                )
            self.known[key] = item

    def find(self, claim: str, row: str, evaluation: str | None, score: str | None) -> list[Measured]:
        """Give the measurements of a row, or of all rows of a block, with the seeds that they all have.

        Raises:
            NotMeasuredError: If there is none, or not of every row.
            RequestError: If several evaluations or scores could be meant.
        """
        own = [item for item in self.known.values() if _within(item.row, row)]
        evaluation = _single(claim, row, "evaluation", evaluation, [item.evaluation for item in own])
        own = [item for item in own if item.evaluation == evaluation]
        score = _single(claim, row, "score", score, [item.score for item in own])
        recorded = sorted({item.score for item in own})
        own = [item for item in own if item.score == score]
        if recorded and not own:
            raise NotMeasuredError(f"{row} has no score {score} under {evaluation}; it has {', '.join(recorded)}")
        if not own:
            what = f"{score} of {row}" if score else row
            raise NotMeasuredError(f"not measured yet: {what}{f' under {evaluation}' if evaluation else ''}")
        absent = [name for name in self.rows if _within(name, row) and name not in {item.row for item in own}]
        if absent:
            named = ", ".join(absent[:3]) + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")
            raise NotMeasuredError(f"not measured yet: {named}")
        for item in own:
            if item.lost:
                seeds = ", ".join(map(str, item.lost))
                raise NotMeasuredError(f"no finite {score} of {item.row} with seed{'s' * (len(item.lost) > 1)} {seeds}")
        shared = [seed for seed in own[0].seeds if all(seed in item.seeds for item in own)]
        if not shared or not all(item.values for item in own):
            raise NotMeasuredError(f"not measured yet: a seed of all rows of {row}")
        chosen = [_with_seeds(item, shared) for item in own]
        unknown = [item.row for item in chosen if not all(map(math.isfinite, item.values))]
        if unknown:
            raise NotMeasuredError(f"no finite {score} of {unknown[0]}")
        return chosen


def of_shared_seeds(sides: Sequence[Sequence[Measured]]) -> list[list[Measured]]:
    """Give measurements of the same rows with the seeds that all of them have, so that they can be paired.

    Measurements of different rows, and ones that share no seed, stay as they are.
    """
    first = sides[0]
    same_rows = all([item.row for item in side] == [item.row for item in first] for side in sides)
    shared = [seed for seed in first[0].seeds if all(seed in item.seeds for side in sides for item in side)]
    if not same_rows or not shared:
        return [list(side) for side in sides]
    return [[_with_seeds(item, shared) for item in side] for side in sides]


def _with_seeds(item: Measured, seeds: Sequence[int]) -> Measured:
    places = [item.seeds.index(seed) for seed in seeds]
    statistics = None if item.statistics is None else tuple(item.statistics[place] for place in places)
    values = tuple(item.values[place] for place in places)
    return replace(item, seeds=tuple(seeds), values=values, statistics=statistics)


def _within(row: str, name: str) -> bool:
    return row == name or row.startswith(f"{name}[")


def _single(claim: str, row: str, what: str, asked: str | None, known: Sequence[str]) -> str | None:
    if asked is not None:
        return asked
    names = list(dict.fromkeys(known))
    if len(names) > 1:
        raise RequestError(
            f"claim {claim}: {row} has several {what}s ({', '.join(names)}); expected {what}: one of them"
        )
    return names[0] if names else None


def seed_means(items: Sequence[Measured]) -> tuple[float, ...]:
    """Give each seed's mean over the rows."""
    return tuple(np.mean([item.values for item in items], axis=0).tolist())


def check_comparable(claim: str, items: Sequence[Measured], *, across_data: bool = False) -> None:
    """Refuse scores that mean different things.

    Args:
        claim: Its id.
        items: What it compares.
        across_data: Whether they may be of different splits or data.

    Raises:
        RequestError: If signatures, splits or data differ; names the difference.
    """
    first = items[0]
    facts = ("signature",) if across_data else ("signature", "split", "data_fingerprint")
    for item in items[1:]:
        for fact in facts:
            ours, theirs = getattr(first, fact), getattr(item, fact)
            if ours == theirs:
                continue
            if fact == "signature":
                ours, theirs = _difference(ours, theirs)
            what = {"signature": "signatures", "split": "splits", "data_fingerprint": "data"}[fact]
            raise RequestError(
                f"claim {claim}: {first.score} of {first.row} ({first.evaluation}) and {item.row} ({item.evaluation})"
                f" have different {what} ({ours[:60]} and {theirs[:60]}); such scores cannot be compared"
            )


def _difference(ours: str, theirs: str) -> tuple[str, str]:
    """Give the fields of two signatures that differ."""
    left, right = ours.split("|"), theirs.split("|")
    return (
        "|".join(part for part in left if part not in right) or ours,
        "|".join(part for part in right if part not in left) or theirs,
    )
