"""Which entries of a split are told apart: tests of all pairs, corrected together, as p-values and letters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.all_pairs import Test, paired_tests
from s2s_lab.metrics.letters import compact_letters
from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.metrics.seeds import EffectSize, hedges_g
from s2s_lab.metrics.significance import holm
from s2s_lab.reports.entries import LEVEL, Entry, ScoreKind, Versus

MOST_ENTRIES = 40
"""More entries than this are tested against the best one alone."""
TEST_SEED = 20040725


@dataclass(frozen=True)
class ToldApart:
    """The entries with their tests.

    Attributes:
        entries: Best first, with tests against the best and letters.
        tests: Number of tests that were corrected together.
        notes: What else a reader must know.
    """

    entries: tuple[Entry, ...]
    tests: int
    notes: tuple[str, ...]


def tell_apart(
    entries: Sequence[Entry],
    monitor: ScoreKind,
    statistics: Sequence[Sequence[np.ndarray]],
    *,
    test: Test = "bootstrap",
    samples: int | None = None,
) -> ToldApart:
    """Test all pairs of entries, or of many entries each against the best.

    Args:
        entries: Best first.
        monitor: The score that is tested.
        statistics: For each entry and each of its seeds (sentences, k).
        test: Paired bootstrap or approximate randomization.
        samples: Resamples of each test; by default 1,000, or as many as leave room for the correction.

    Raises:
        RequestError: If approximate randomization is asked for entries of different numbers of seeds.
    """
    best = replace(entries[0], best=True)
    if len(entries) == 1:
        return ToldApart((best,), 0, ())
    if test == "randomization":
        _check_seeds(entries)
    every = len(entries) <= MOST_ENTRIES
    pairs = list(combinations(range(len(entries)), 2)) if every else [(0, place) for place in range(1, len(entries))]
    enough = max(1000, 2 * len(pairs) * round(1 / LEVEL))
    samples = enough if samples is None else samples
    metric = aggregate_of(monitor.name, monitor.signature)
    turned = [(b, a) for a, b in pairs]  # an entry minus the better one
    found = paired_tests(metric, statistics, turned, test=test, samples=samples, seed=TEST_SEED)
    corrected = dict(zip(turned, holm([found[pair].p_value for pair in turned]), strict=True))
    letters = [""] * len(entries)
    notes = []
    if every:
        letters = compact_letters(len(entries), lambda a, b: corrected[b, a] < LEVEL)
    else:
        notes.append(
            f"with more than {MOST_ENTRIES} rows only the best is tested against each, so there are no letters"
        )
    if len(pairs) / (samples + 1) >= LEVEL:
        notes.append(
            f"{samples:,} resamples are too few for this number of tests ({len(pairs):,}): expected at least {enough:,}"
        )
    others = [
        replace(entry, versus=Versus(found[place, 0], corrected[place, 0], _effect(entry, best, monitor)))
        for place, entry in enumerate(entries[1:], start=1)
    ]
    named = [replace(entry, letters=own) for entry, own in zip((best, *others), letters, strict=True)]
    return ToldApart(tuple(named), len(pairs), tuple(notes))


def _check_seeds(entries: Sequence[Entry]) -> None:
    first = entries[0]
    for entry in entries[1:]:
        if len(entry.runs) != len(first.runs):
            raise RequestError(
                f"--test randomization exchanges outputs seed by seed: {first.label} has {len(first.runs)}, "
                f"{entry.label} has {len(entry.runs)}; expected equally many seeds (--test bootstrap takes any)"
            )


def _effect(entry: Entry, best: Entry, monitor: ScoreKind) -> EffectSize:
    return hedges_g(entry.measures[monitor.name].values, best.measures[monitor.name].values)
