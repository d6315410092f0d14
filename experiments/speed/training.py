"""Training speed: the product's own trainings, interrupted after a while, and what their run folders say."""

import shutil
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.speed.product import Bench, LeftOut, say, training_for
from experiments.speed.rates import medians, training_rate
from experiments.speed.workloads import Workload
from s2s_lab.assemble.configuration import compose_jobs
from s2s_lab.assemble.schema import Trainer


def allocators() -> list[str]:
    """The values of `trainer.allocator`, the default first."""
    default = compose_jobs("train", [], multirun=False, folder=None)[0].trainer.allocator
    others = [value for value in typing.get_args(typing.get_type_hints(Trainer)["allocator"]) if value != default]
    return [default, *others]


def measure_training(
    bench: Bench,
    workloads: Sequence[Workload],
    settings: Mapping[str, Sequence[str]],
    *,
    allocators: Sequence[str],
    rounds: int,
    warm_up: float,
    seconds: float,
) -> list[dict[str, Any]]:
    """Measures every workload with every setting and allocator; one after the other in each round.

    Args:
        bench: what all measurements share.
        workloads: the models.
        settings: words of each arithmetic.
        allocators: values of `trainer.allocator`.
        rounds: how often each is measured; rows hold medians.
        warm_up: seconds after the first logged row that are left out.
        seconds: measured after that.

    Returns:
        A row for each workload, allocator and setting; speeds in source and target tokens a second. A training that
        fails is told and left out.

    Raises:
        RunError: if all of them fail.
    """
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    left_out = LeftOut()
    for number in range(rounds):
        for workload in workloads:
            for allocator in allocators:
                for setting, words in settings.items():
                    say(f"train {workload.name} {setting}, allocator {allocator}, round {number + 1} of {rounds}")
                    with left_out.told():
                        record = train_once(bench.words(workload, words, allocator), warm_up=warm_up, seconds=seconds)
                        found.setdefault((workload.name, allocator, setting), []).append(record)
    left_out.check(found)
    return [
        {"workload": workload, "allocator": allocator, "setting": setting, **medians(records), "rounds": records}
        for (workload, allocator, setting), records in found.items()
    ]


def train_once(words: Sequence[str], *, warm_up: float, seconds: float) -> dict[str, Any]:
    """Trains for a while and reads the speed; the run folder is removed.

    Args:
        words: of `s2s-train`.
        warm_up: seconds that are left out.
        seconds: measured after that.
    """
    run = training_for(words, warm_up=warm_up, seconds=seconds)
    try:
        facts, rate = run.read(), training_rate(run.metrics_csv, warm_up)
    finally:
        shutil.rmtree(run.path)
    return {
        "tokens_per_s": round(rate.tokens_per_s, 1),
        "tokens_per_s_median": round(rate.tokens_per_s_median, 1),
        "windows": rate.windows,
        "seconds": round(rate.seconds, 1),
        "steps": facts["steps"],
        "fill": facts["data"]["fill"],
        "parameters": facts["parameters"],
        "peak_memory_mb": facts["peak_memory_mb"],
    }
