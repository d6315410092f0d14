"""Where the time of a training step goes, and how far it is from the bounds of its widths."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.speed.child import frozen, measured, training_environment
from experiments.speed.product import NEVER, Bench, LeftOut, say
from experiments.speed.workloads import Workload
from s2s_lab.faults import RunError

WARM_UP_STEPS = 10


def measure_shares(
    bench: Bench, workloads: Sequence[Workload], settings: Mapping[str, Sequence[str]], *, seconds: float
) -> list[dict[str, Any]]:
    """Trains each workload with clocks on its parts, and measures its bounds just before.

    Args:
        bench: what all measurements share.
        workloads: the models.
        settings: words of each arithmetic.
        seconds: of each measurement, after a warm-up of WARM_UP_STEPS steps.

    Returns:
        A row for each workload and setting: shares of the parts, the bounds in tokens a second, and how much of each
        bound the training reaches. One that fails is told and left out.

    Raises:
        RunError: if all of them fail.
    """
    rows, left_out = [], LeftOut()
    for workload in workloads:
        for setting, words in settings.items():
            say(f"shares of a step of {workload.name} {setting}")
            with left_out.told():
                found = _measured(bench, workload, words, seconds)
                rows.append({"workload": workload.name, "setting": setting, **found})
    left_out.check(rows)
    return rows


def _measured(bench: Bench, workload: Workload, setting: Sequence[str], seconds: float) -> dict[str, Any]:
    endless = [
        f"trainer.max_steps={NEVER}", f"trainer.validate_every={NEVER}", "trainer.validation_sentences=1",
        "experiment_name=shares",
    ]  # fmt: skip
    run = frozen([*bench.words(workload, setting), *endless])
    try:
        task = {"run": str(run.path), "warm_up": WARM_UP_STEPS, "seconds": seconds}
        environment = training_environment(run)
        try:
            floors = measured("floor", task, environment)
        except RunError as error:
            say(f"  no bounds: {error}")
            floors = {}
        return with_ratios(measured("shares", task, environment), floors)
    finally:
        shutil.rmtree(run.path)


def with_ratios(step: Mapping[str, Any], floors: Mapping[str, Any]) -> dict[str, Any]:
    """A row of what was measured: speed over each bound's speed; 1 is a training as fast as the bound."""
    ratios = {
        f"of_{name}": round(step["tokens_per_s"] / floors[f"{name}_tokens_per_s"], 3)
        for name in ("fused", "products")
        if f"{name}_tokens_per_s" in floors
    }
    return {**step, **floors, **ratios}
