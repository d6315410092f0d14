"""Paired tests of many systems at once: the resamples are drawn once for all of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate
from s2s_lab.metrics.significance import (
    Draw,
    PairedTest,
    draw_counts,
    draw_exchanges,
    mean_of_known,
    outcome,
    two_sided_p_value,
    weighted_sums,
)

Test = Literal["bootstrap", "randomization"]
TESTS: tuple[Test, ...] = ("bootstrap", "randomization")
BLOCK_ELEMENTS = 16_000_000
"""Largest array of statistics or of their sums made at once, in elements of 8 bytes; further systems come in turn."""


def paired_tests(
    metric: Aggregate,
    systems: Sequence[Sequence[np.ndarray]],
    pairs: Iterable[tuple[int, int]],
    *,
    test: Test = "bootstrap",
    samples: int,
    seed: int,
) -> dict[tuple[int, int], PairedTest]:
    """Test pairs of systems on the same sentences, each as `paired_bootstrap` or `approximate_randomization` would.

    Args:
        metric: What aggregates the statistics.
        systems: For each system and each of its seeds its statistics (sentences, k).
        pairs: (a, b), places in `systems`; the difference is a minus b.
        test: Which of the two.
        samples: Number of resamples or shuffles.
        seed: Of the resamples.

    Raises:
        RequestError: No seed, no sentence, different sentences or no sample; for randomization also systems of
            different numbers of seeds.
    """
    arrays = _checked(systems, samples)
    sentences = arrays[0].shape[1] if arrays else 0
    scores = [float(metric.aggregate(array.sum(axis=1)).mean()) for array in arrays]
    resamples = samples if test == "bootstrap" else min(samples, 1000)
    drawn = [metric.aggregate(sums).mean(axis=-1) for sums in _sums(arrays, draw_counts, resamples, seed)]
    exchanged = list(_sums(arrays, draw_exchanges, samples, seed)) if test == "randomization" else []
    found = {}
    for a, b in pairs:
        observed, differences = scores[a] - scores[b], drawn[a] - drawn[b]
        if test == "bootstrap":
            distances = np.abs(differences - mean_of_known(differences))
        else:
            distances = np.abs(_exchanged_difference(metric, arrays, exchanged, a, b))
        p_value = two_sided_p_value(distances, observed)
        found[a, b] = outcome(observed, differences, p_value, samples=samples, sentences=sentences)
    return found


def _exchanged_difference(
    metric: Aggregate, arrays: Sequence[np.ndarray], exchanged: Sequence[np.ndarray], a: int, b: int
) -> np.ndarray:
    """Give the differences (samples,) after some sentences have changed sides; all seeds change together."""
    if len(arrays[a]) != len(arrays[b]):
        raise RequestError(
            f"approximate randomization: {len(arrays[a])} and {len(arrays[b])} seeds; expected equally many"
        )
    moved = exchanged[b] - exchanged[a]  # (samples, seeds, k): what comes to a and leaves b
    ours = metric.aggregate(arrays[a].sum(axis=1) + moved).mean(axis=-1)
    return ours - metric.aggregate(arrays[b].sum(axis=1) - moved).mean(axis=-1)


def _sums(arrays: Sequence[np.ndarray], draw: Draw, samples: int, seed: int) -> Iterator[np.ndarray]:
    """Give each system's statistics summed under the same drawn weights: (samples, seeds, k)."""
    block: list[np.ndarray] = []
    elements = 0
    for array in arrays:
        seeds, sentences, size = array.shape
        own = seeds * size * max(sentences, samples)
        if block and elements + own > BLOCK_ELEMENTS:
            yield from _block_sums(block, draw, samples, seed)
            block, elements = [], 0
        block.append(array)
        elements += own
    if block:
        yield from _block_sums(block, draw, samples, seed)


def _block_sums(block: Sequence[np.ndarray], draw: Draw, samples: int, seed: int) -> list[np.ndarray]:
    sums = weighted_sums(np.concatenate(block), draw, samples=samples, seed=seed)
    ends = np.cumsum([len(array) for array in block])
    return np.split(sums, ends[:-1], axis=1)


def _checked(systems: Sequence[Sequence[np.ndarray]], samples: int) -> list[np.ndarray]:
    """Give each system's statistics as (seeds, sentences, k) float64."""
    if samples < 1:
        raise RequestError(f"paired test: samples is {samples}; expected at least 1")
    if not all(map(len, systems)):
        raise RequestError("paired test: a system has no seed; expected at least one of each")
    shapes = {np.shape(statistics) for system in systems for statistics in system}
    if len(shapes) > 1 or any(len(shape) != 2 or shape[0] == 0 for shape in shapes):
        found = ", ".join(map(str, sorted(shapes)))
        raise RequestError(f"paired test: statistics have shapes {found}; expected (sentences, k), equal for all runs")
    return [np.stack([np.asarray(statistics, dtype=np.float64) for statistics in system]) for system in systems]
