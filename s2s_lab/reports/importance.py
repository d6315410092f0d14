"""Which swept settings decide whether a run is among the best."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2s_lab.reports.entries import ScoreKind, SplitComparison
from s2s_lab.reports.settings import Setting

FEWEST_RUNS = 8
"""With fewer runs nothing is said."""
LEAST_SHARE = 0.25
FEWEST_BEST = 5


@dataclass(frozen=True)
class Importance:
    """How much each setting matters to a score.

    Attributes:
        shares: For each setting its share; they sum to 1.
        runs: Number of runs they are of.
        best: Number of runs that count as the best ones.
        strategy: Of their evaluations.
        score: Name of the score.
    """

    shares: tuple[float, ...]
    runs: int
    best: int
    strategy: str
    score: str


def importance_of(split: SplitComparison, rows: Sequence[str], settings: Sequence[Setting]) -> Importance | None:
    """Weigh the settings of a sweep by what they did to the monitored score.

    Every run counts, seeds one by one, under the strategy that most rows were decoded with.

    Args:
        split: The entries.
        rows: Hashes of the rows that the settings' values belong to, in order.
        settings: What was varied.

    Returns:
        None with too few runs, or where nothing varies.
    """
    if split.monitor is None or not settings:
        return None
    strategies = [entry.strategy for entry in split.entries]
    strategy = max(dict.fromkeys(strategies), key=strategies.count)
    places, scores = [], []
    for entry in split.entries:
        if entry.strategy == strategy:
            values = [value for value in entry.measures[split.monitor.name].values if math.isfinite(value)]
            scores += values
            places += [rows.index(entry.row.key)] * len(values)
    if len(scores) < FEWEST_RUNS or len(set(scores)) < 2:
        return None
    found = weigh(settings, places, scores, split.monitor)
    if found is None:
        return None
    shares, best = found
    return Importance(shares, len(scores), best, strategy, split.monitor.name)


def weigh(
    settings: Sequence[Setting], places: Sequence[int], scores: Sequence[float], kind: ScoreKind
) -> tuple[tuple[float, ...], int] | None:
    """Compare the distribution of each setting among the best runs with that among all.

    Paper: Watanabe, Bansal and Hutter, 2023, arXiv 2304.10255 (PED-ANOVA), in Optuna's implementation. The best runs
    are the best quarter, at least five where that is no more than half of them.

    Args:
        settings: What was varied.
        places: For each run the place of its row in the settings' values.
        scores: For each run its score.
        kind: The score.

    Returns:
        The settings' shares, which sum to 1, and the number of best runs; None where no setting tells them apart.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    varying = [place for place, setting in enumerate(settings) if len({setting.values[row] for row in places}) > 1]
    if not varying:
        return None
    quantile = min(0.5, max(LEAST_SHARE, FEWEST_BEST / len(scores)))
    distributions = {str(place): _distribution(settings[place], places) for place in varying}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of experimental parts
            study = optuna.create_study(direction="maximize" if kind.higher_is_better else "minimize")
            study.add_trials([
                optuna.trial.create_trial(
                    params={name: settings[int(name)].values[row] for name in distributions},
                    distributions=distributions,
                    value=score,
                )
                for row, score in zip(places, scores, strict=True)
            ])  # fmt: skip
            evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
            weights = get_param_importances(study, evaluator=evaluator, normalize=False)
    finally:
        optuna.logging.set_verbosity(verbosity)
    total = sum(weights.values())
    if not total > 0:
        return None
    best = _count_best(scores, quantile, kind)
    return tuple(weights.get(str(place), 0.0) / total for place in range(len(settings))), best


def _count_best(scores: Sequence[float], quantile: float, kind: ScoreKind) -> int:
    """Count the runs that reach the quantile, ties included."""
    oriented = np.sort(np.asarray(scores) * (-1 if kind.higher_is_better else 1))
    edge = oriented[max(0, math.ceil(quantile * len(scores)) - 1)]
    return int((oriented <= edge).sum())


def _distribution(setting: Setting, places: Sequence[int]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    values = sorted({setting.values[row] for row in places})  # type: ignore[type-var]
    if not setting.numeric:
        return CategoricalDistribution([str(value) for value in values])
    return FloatDistribution(float(values[0]), float(values[-1]), log=setting.logarithmic)
