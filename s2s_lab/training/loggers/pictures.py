"""Attention weights as pictures, for loggers that show images."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from s2s_lab.training.sample import Example


def attention_picture(example: Example) -> np.ndarray:
    """Draws attention weights with source tokens across and output tokens down.

    Args:
        example: with weights (target_len, source_len).

    Returns:
        (height, width, 3) uint8.
    """
    assert example.weights is not None
    rows, columns = example.weights.shape
    figure = Figure(figsize=(1.5 + 0.32 * columns, 1.0 + 0.28 * rows), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(example.weights, vmin=0.0, vmax=1.0, cmap="Blues", aspect="auto")
    axes.set_xticks(
        range(columns), [_plain(token) for token in example.source_tokens[:columns]], rotation=60, ha="right"
    )
    axes.set_yticks(range(rows), [_plain(token) for token in example.target_tokens[:rows]])
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _plain(token: str) -> str:
    """A token as a label: dollar signs are no mathematics."""
    return token.replace("$", r"\$")
