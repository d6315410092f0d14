"""Stopping bad trials early: reads the validations of running jobs and asks a pruner of Optuna."""

from typing import TYPE_CHECKING

from s2s_lab.sweeps.search.parts import Progress
from s2s_lab.sweeps.search.settings import Pruning

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import Trial

BY_STEPS = ("hyperband", "successive_halving")
"""Methods whose rungs lie between the first step and the last."""


def pruner_for(pruning: Pruning, max_steps: int) -> "BasePruner":
    """The pruner that judges trials by their validations.

    Args:
        pruning: as asked for.
        max_steps: optimizer steps of the longest training.
    """
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner

    factor = pruning.reduction_factor
    least = pruning.warmup_steps or max(1, max_steps // factor**3)
    if pruning.method == "median":
        return MedianPruner(n_startup_trials=pruning.startup_trials, n_warmup_steps=pruning.warmup_steps)
    if pruning.method == "hyperband":
        return HyperbandPruner(min_resource=least, max_resource=max(least, max_steps), reduction_factor=factor)
    if pruning.method == "successive_halving":
        return SuccessiveHalvingPruner(min_resource=least, reduction_factor=factor)
    return NopPruner()


def report(trial: "Trial", progress: Progress, seen: int, *, judge: bool) -> tuple[int, bool]:
    """Tells a trial's validations, in their order.

    Args:
        trial: that runs.
        progress: of its run.
        seen: how many validations were told before.
        judge: whether to ask after each one if the trial is to be stopped.

    Returns:
        How many are told now; and whether the trial is to be stopped, at the last of them.
    """
    for step, value in list(progress.history)[seen:]:
        trial.report(value, step)
        seen += 1
        if judge and trial.should_prune():
            return seen, True
    return seen, False
