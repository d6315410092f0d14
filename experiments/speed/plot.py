"""The picture of growth: time against each size on logarithmic axes, with the fitted exponents in the titles."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.speed.scaling import exponents
from s2s_lab.faults import RequestError

LABELS = {
    "batch": "sentences in a batch", "hidden": "hidden size", "source_length": "source length", "beam": "beam size",
    "vocabulary": "target vocabulary", "pairs": "pairs in the corpus",
}  # fmt: skip
NAMES = {"train": "training step", "decode": "decoding", "epoch": "epoch of data"}
COLOURS = {"train": "#1f5fa8", "decode": "#c8641b", "epoch": "#3b7d3b"}
COLUMNS = 3


def plot_growth(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws a small picture for each dimension into one PNG file.

    Args:
        rows: from `measure_growth`.
        path: the file.

    Raises:
        RequestError: if it cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    dimensions = list(dict.fromkeys(row["dimension"] for row in rows))
    fitted = exponents(rows)
    lines = -(-len(dimensions) // COLUMNS)
    figure, axes = pyplot.subplots(lines, COLUMNS, figsize=(4.2 * COLUMNS, 3.4 * lines), squeeze=False)
    for axis, dimension in zip(axes.flat, dimensions, strict=False):
        for kind in dict.fromkeys(row["kind"] for row in rows if row["dimension"] == dimension):
            points = [
                (row["value"], row["seconds"]) for row in rows if (row["dimension"], row["kind"]) == (dimension, kind)
            ]
            axis.loglog(*zip(*points, strict=True), "o-", color=COLOURS[kind], label=NAMES[kind], markersize=4)
        axis.set_xlabel(LABELS.get(dimension, dimension))
        axis.set_ylabel("seconds")
        axis.set_title(title(dimension, fitted), fontsize=10)
        axis.grid(True, which="major", alpha=0.3)
        axis.legend(fontsize=8)
    for axis in axes.flat[len(dimensions) :]:
        axis.axis("off")
    figure.tight_layout()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise RequestError(f"--plot {path}: cannot be written ({error.strerror or error})") from error
    finally:
        pyplot.close(figure)


def title(dimension: str, fitted: Mapping[tuple[str, str], float]) -> str:
    """What stands over a picture, e.g. `batch: train n^0.95, decode n^0.71`."""
    said = [f"{kind} $n^{{{value:.2f}}}$" for (of, kind), value in fitted.items() if of == dimension]
    return f"{dimension.replace('_', ' ')}: {', '.join(said)}" if said else dimension.replace("_", " ")
