"""The figures of a study's page: scores by row, claimed trends, the seeds of each row."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_lab.metrics.significance import t_interval
from s2s_lab.records.results import Entry
from s2s_lab.records.study_claims import needed_by, steps_of
from s2s_lab.records.study_file import Study
from s2s_lab.reports.numbers import title_of, unit_of
from s2s_lab.reports.study_measured import measurements

if TYPE_CHECKING:
    from s2s_lab.reports.claims import Measured

FIGURES = {
    "scores.png": "Scores by row, mean and 95 % t-interval over seeds",
    "trends.png": "Claimed trends, mean and 95 % t-interval over seeds",
    "seeds.png": "The seeds of each row",
}
MOST_ROWS = 60
MOST_INCHES = 60.0  # of a figure's height
COLOURS = ("#0f6cbd", "#c4501b", "#3b7a2a", "#7a3fa0", "#8a6d00", "#b0356b")
MARKERS = "os^vPX<>*hp"  # as many as share no divisor with the colours
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def draw_figures(study: Study, jobs: Sequence[Entry], folder: Path) -> dict[str, str]:
    """Draw what there is to draw; a figure of before that shows nothing now is removed.

    Args:
        study: the study.
        jobs: entries of its results.
        folder: where the files go.

    Returns:
        File name -> what it shows, of those that were drawn; the same results give the same bytes.
    """
    measured = measurements(study, jobs)
    drawers: dict[str, Callable[[Study, Sequence[Measured]], Any]] = {
        "scores.png": scores_figure, "trends.png": _trends, "seeds.png": _seeds,
    }  # fmt: skip
    drawn = {}
    for name, shows in FIGURES.items():
        path = folder / name
        if _draw(drawers[name], study, measured, path):
            drawn[name] = shows
        else:
            path.unlink(missing_ok=True)
    return drawn


def _draw(drawer: Callable[..., Any], study: Study, measured: "Sequence[Measured]", path: Path) -> bool:
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own style would change the bytes
        matplotlib.rcParams.update(STYLE)
        figure = drawer(study, measured)
        if figure is None:
            return False
        figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
        return True


def _figure(width: float, height: float, **grid: Any) -> Any:
    """A figure without pyplot, which would keep it, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(squeeze=False, **grid)


def main_score(study: Study, measured: "Sequence[Measured]") -> str | None:
    """The score that most claims are about, else the first that was measured."""
    names = [claim["score"] for claim in study.claims.values()]
    known = list(dict.fromkeys(item.score for item in measured))
    asked = [name for name in dict.fromkeys(names) if name in known]
    return max(asked, key=names.count) if asked else known[0] if known else None


def _shown(study: Study, measured: "Sequence[Measured]") -> "list[Measured]":
    """The main score's measurements of the first rows."""
    score = main_score(study, measured)
    rows = [row.name for row in study.rows if any(item.row == row.name for item in measured)][:MOST_ROWS]
    return [item for item in measured if item.score == score and item.row in rows]


def scores_figure(study: Study, measured: "Sequence[Measured]") -> Any:
    """Draw the main score: a band for each row, within it a place for each of its evaluations; None without scores."""
    items = _shown(study, measured)
    if not items:
        return None
    rows, evaluations = list(dict.fromkeys(i.row for i in items)), list(dict.fromkeys(i.evaluation for i in items))
    places = _places(items)
    most = max(sum(item.row == row for item in items) for row in rows)
    figure, axes = _figure(8, min(MOST_INCHES, 1.2 + max(0.32, 0.17 * most) * len(rows)))
    axis = axes[0][0]
    for evaluation in evaluations:
        own = [item for item in items if item.evaluation == evaluation]
        colour, marker = _look(evaluations.index(evaluation))
        means, low, high = _intervals(own)
        axis.errorbar(means, [places[item.row, evaluation] for item in own], xerr=[means - low, high - means],
                      fmt=marker, markersize=5, capsize=2, color=colour, label=evaluation)  # fmt: skip
    points = [point for claim in study.claims.values() if (point := _published_point(claim, items)) is not None]
    for value, row, evaluation in points:
        axis.scatter([value], [places[row, evaluation]], marker="D", s=34, facecolors="none", zorder=3,
                     edgecolors=_look(evaluations.index(evaluation))[0])  # fmt: skip
    if points:
        axis.scatter([], [], marker="D", s=34, facecolors="none", edgecolors="#222222", label="published")
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    if most > 1:  # where several points share a row, its band tells which
        axis.grid(visible=False, axis="y")
        for place in range(1, len(rows)):
            axis.axhline(place - 0.5, color="#d0d0d0", linewidth=0.8, zorder=0)
    axis.set_xlabel(_axis_title(items[0]))
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return figure


def _places(items: "Sequence[Measured]") -> dict[tuple[str, str], float]:
    """Where each row's evaluations stand: about the row's place, equally far from each other, within its band."""
    rows: dict[str, list[str]] = {}
    for item in items:
        rows.setdefault(item.row, []).append(item.evaluation)
    step = 0.8 / max(map(len, rows.values()))
    return {
        (row, evaluation): place + step * (number - (len(own) - 1) / 2)
        for place, (row, own) in enumerate(rows.items())
        for number, evaluation in enumerate(own)
    }


def _look(number: int) -> tuple[str, str]:
    """The colour and the mark of an evaluation; neighbours differ in both, and no two of the first 66 are the same."""
    return COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]


def _published_point(claim: Mapping[str, Any], items: "Sequence[Measured]") -> tuple[float, str, str] | None:
    """The published value of a claim about one shown row, that row, and the evaluation."""
    if claim["kind"] != "value":
        return None
    about = (claim["row"], claim["evaluation"], claim["score"])
    shown = any((item.row, item.evaluation, item.score) == about for item in items)
    return (float(claim["published"]), claim["row"], claim["evaluation"]) if shown else None


def _trends(study: Study, measured: "Sequence[Measured]") -> Any:
    curves = []
    for claim in study.claims.values():
        points = [_of(study, measured, needed.row, needed.evaluation, claim["score"]) for needed in needed_by(claim)]
        known = [(place, point) for place, point in enumerate(points) if point is not None]
        if claim["kind"] == "trend" and len(known) > 1:
            curves.append((claim, known))
    if not curves:
        return None
    columns = min(2, len(curves))
    lines = math.ceil(len(curves) / columns)
    figure, axes = _figure(4.6 * columns, 3.2 * lines, nrows=lines, ncols=columns)
    for axis in axes.flat[len(curves) :]:
        axis.set_axis_off()
    for number, (claim, known) in enumerate(curves):
        axis = axes.flat[number]
        places = [place for place, _ in known]
        means, low, high = _intervals([point for _, point in known])
        axis.errorbar(places, means, yerr=[means - low, high - means], fmt="o-", markersize=4, capsize=2,
                      color=COLOURS[number % len(COLOURS)])  # fmt: skip
        axis.set_xticks(range(len(steps_of(claim))), steps_of(claim), rotation=30, ha="right")
        axis.set_ylabel(_axis_title(known[0][1]))
        axis.set_title(_wrapped(claim.get("says") or claim["direction"]), fontsize=9)
    figure.tight_layout()
    return figure


def _seeds(study: Study, measured: "Sequence[Measured]") -> Any:
    default = next(iter(study.evaluations))
    items = [item for item in _shown(study, measured) if item.evaluation == default]
    if not any(len(item.values) > 1 for item in items):
        return None
    figure, axes = _figure(max(4.0, min(12.0, 1.6 + 0.5 * len(items))), 3.6)
    axis = axes[0][0]
    for place, item in enumerate(items):
        axis.scatter([place] * len(item.values), item.values, s=16, color=COLOURS[0], alpha=0.8, linewidths=0)
        axis.plot([place - 0.3, place + 0.3], [np.mean(item.values)] * 2, color=COLOURS[1], linewidth=1.5)
    axis.set_xticks(range(len(items)), [item.row for item in items], rotation=60, ha="right", fontsize=8)
    axis.set_ylabel(_axis_title(items[0]))
    axis.set_title(f"{default}: each point a seed, the line their mean", fontsize=9)
    return figure


def _of(study: Study, measured: "Sequence[Measured]", name: str, evaluation: str, score: str) -> "Measured | None":
    """The measurement of a row; of a block with several rows none is drawn until all of them have the same seeds."""
    import dataclasses

    rows = [row.name for row in study.rows_of(name)]
    own = [item for item in measured if item.row in rows and (item.evaluation, item.score) == (evaluation, score)]
    if len(own) != len(rows) or any(item.seeds != own[0].seeds for item in own):
        return None
    values = tuple(np.mean([item.values for item in own], axis=0).tolist())
    return dataclasses.replace(own[0], row=name, values=values, statistics=None)


def _intervals(items: "Sequence[Measured]") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, lower and upper ends, within what the score can be; of one seed all three are its value."""
    found = [t_interval(item.values) for item in items]
    means = np.array([each.mean for each in found])
    least, most = np.array([unit_of(item.signature).bounds() for item in items]).T
    low = np.array([each.mean if each.n == 1 else each.low for each in found])
    high = np.array([each.mean if each.n == 1 else each.high for each in found])
    return means, np.minimum(means, np.maximum(low, least)), np.maximum(means, np.minimum(high, most))


def _axis_title(item: "Measured") -> str:
    return title_of(item.score) + unit_of(item.signature).suffix


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 48)[:3]).replace("$", r"\$")
