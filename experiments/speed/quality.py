"""Equal quality: the validation losses that trainings in each arithmetic reach after as many steps."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.speed.product import Bench, finished_run
from experiments.speed.workloads import Workload
from s2s_lab.faults import RunError
from s2s_lab.records.curves import curve, read_curves
from s2s_lab.records.run_folder import RunFolder

REFERENCE = "float32-torch"  # the arithmetic that the others are compared with


def measure_quality(
    bench: Bench,
    workloads: Sequence[Workload],
    settings: Mapping[str, Sequence[str]],
    *,
    seeds: int,
    steps: int,
    fresh: bool = False,
) -> list[dict[str, Any]]:
    """Trains every workload in the reference and in every other arithmetic, with every seed.

    A training that an earlier call has finished is not run again.

    Args:
        bench: what all measurements share.
        workloads: the models.
        settings: words of each arithmetic, by name.
        seeds: from 1 to this number.
        steps: optimizer steps of each training.
        fresh: whether earlier trainings are left aside.

    Returns:
        A row for each workload and arithmetic, the reference first: `losses` (in nats a token), `differences` from the
        reference of the same seed, relative to it, and `tokens` seen, all by seed; and `loss` and `difference`, the
        means.
    """
    settings = {**bench.plan.chosen_settings([REFERENCE]), **settings}
    rows: list[dict[str, Any]] = []
    for workload in workloads:
        reference: dict[str, float] = {}
        for setting, words in settings.items():
            found = {
                str(seed): last_validation(_run(bench, workload, setting, words, seed, steps, fresh), steps)
                for seed in range(1, seeds + 1)
            }
            losses = {seed: loss for seed, (loss, _) in found.items()}
            reference = reference or losses
            differences = {seed: loss / reference[seed] - 1.0 for seed, loss in losses.items()}
            rows.append(
                {
                    "workload": workload.name,
                    "setting": setting,
                    "losses": losses,
                    "differences": differences,
                    "tokens": {seed: tokens for seed, (_, tokens) in found.items()},
                    "loss": statistics.fmean(losses.values()),
                    "difference": statistics.fmean(differences.values()),
                }
            )
    return rows


def last_validation(run: RunFolder, steps: int) -> tuple[float, int]:
    """The validation loss after the last step, in nats a token, and the tokens seen by then.

    Args:
        run: a finished run.
        steps: that it was to make.

    Raises:
        RunError: if it has no loss at this step.
    """
    at, losses = curve(read_curves(run.metrics_csv), "validation/loss")
    facts = run.read()
    if not len(at) or at[-1] != steps or facts["steps"] != steps:
        raise RunError(f"{run.path}: no validation loss at step {steps} after {facts['steps']} steps")
    return float(losses[-1]), int(facts["tokens"])


def _run(
    bench: Bench, workload: Workload, setting: str, words: Sequence[str], seed: int, steps: int, fresh: bool
) -> RunFolder:
    return finished_run(
        bench,
        f"quality-{workload.name}-{setting}-{seed}-{steps}",
        [*bench.words(workload, words), f"seed={seed}"],
        steps,
        about=f"train {workload.name} {setting} with seed {seed} for {steps} steps",
        fresh=fresh,
    )
