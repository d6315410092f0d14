"""What a trial of Optuna draws for one dimension of a search."""

from typing import TYPE_CHECKING

from s2s_lab.sweeps.search.dimensions import Dimension, Value

if TYPE_CHECKING:
    from optuna.trial import Trial


def suggest(trial: "Trial", dimension: Dimension) -> Value:
    """What a trial draws for one dimension."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    distribution = dimension.values.distribution()
    if isinstance(distribution, CategoricalDistribution):
        return str(trial.suggest_categorical(dimension.name, distribution.choices))
    if isinstance(distribution, IntDistribution):
        low, high, step = distribution.low, distribution.high, distribution.step
        return trial.suggest_int(dimension.name, low, high, step=step, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    return trial.suggest_float(dimension.name, low, high, step=step, log=distribution.log)
