"""How cost grows: a training step, decoding and an epoch of data against each size."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.speed.child import measured, settings_of
from experiments.speed.loading import measure_loading
from experiments.speed.product import Bench, say
from experiments.speed.scaling import BASE, BATCHES, DIMENSIONS, KINDS
from experiments.speed.workloads import Workload
from s2s_lab.sweeps.process import environment


def measure_growth(
    bench: Bench,
    workload: Workload,
    setting: Sequence[str],
    *,
    dimensions: Sequence[str],
    largest: Mapping[str, int],
    seconds: float,
) -> list[dict[str, Any]]:
    """Measures every point of every dimension in a process of its own.

    Args:
        bench: what all measurements share.
        workload: the model, at other widths where that is the dimension.
        setting: words of the arithmetic.
        dimensions: some of DIMENSIONS.
        largest: by dimension, the largest value to measure.
        seconds: of each point, at least three steps.

    Returns:
        A row for each point: dimension, kind (train, decode or epoch), value, seconds, peak memory.
    """
    rows = []
    for dimension in dimensions:
        values = [value for value in DIMENSIONS[dimension] if value <= largest.get(dimension, value)]
        if dimension == "pairs":
            for row in measure_loading(bench, pairs=values, repeats=1)[1:]:
                kept = {key: row[key] for key in ("seconds", "peak_memory_mb", "peak_own_memory_mb", "imports_mb")}
                rows.append({"dimension": dimension, "kind": "epoch", "value": row["pairs"], **kept})
            continue
        for value in values:
            for kind in KINDS.get(dimension, ("train", "decode")):
                say(f"growth: {kind}, {dimension} {value}")
                point = {**BASE, "batch": BATCHES.get(dimension, BASE["batch"]), dimension: value}
                found = _point(bench, workload, setting, kind, point, seconds)
                rows.append({"dimension": dimension, "kind": kind, "value": value, **found})
    return rows


def _point(
    bench: Bench, workload: Workload, setting: Sequence[str], kind: str, point: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    hidden = point["hidden"]
    words = [*bench.words(workload, setting), f"encoder.hidden_size={hidden}", f"decoder.hidden_size={hidden}"]
    settings = settings_of(words)
    task = {"settings": settings, "kind": kind, "seconds": seconds, **point}
    return measured("growth", task, environment(settings["trainer"]))
