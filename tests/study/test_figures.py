"""What the figure of a study's scores shows: every point in its row, every evaluation with a look of its own."""

from pathlib import Path
from typing import Any

import pytest

from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.records.study_file import read_study
from s2s_lab.reports.measurements import Measured
from s2s_lab.reports.study_figures import scores_figure
from tests.study.conftest import STUDY, write_study

PERFECT = "evaluations: {e: {decoding: greedy}}\nrows: {a0: {set: {model: gru}}}\n"
SIGNATURE = ExactMatch().score(["a"], [["a"]]).signature


def figure_of(place: Path, evaluations: int, published: list[tuple[str, str, float]], rows: int = 3) -> Any:
    """Rows a0, a1, ...: the first has every evaluation, the last the first alone."""
    names = [f"a{row}" for row in range(rows)]
    text = STUDY[: STUDY.index("evaluations:")]
    text += "evaluations:\n" + "".join(f"  e{number}: {{decoding: greedy}}\n" for number in range(evaluations))
    text += "rows:\n" + "".join(f"  {name}: {{set: {{model: gru}}}}\n" for name in names) + "claims:\n"
    for number, (row, evaluation, value) in enumerate(published):
        text += (
            f"  c{number}: {{kind: value, row: {row}, evaluation: {evaluation}, score: exact_match, "
            f"published: {value}, tolerance: 1, side: {('equal', 'at_least', 'at_most')[number % 3]}}}\n"
        )
    study = read_study(write_study(place, text if published else text.removesuffix("claims:\n")))
    own = {name: evaluations if name != names[-1] else 1 for name in names}
    measured = [
        Measured(
            row=name, evaluation=f"e{number}", score="exact_match", values=(10.0 + number, 12.0 + number), seeds=(1, 2),
            statistics=None, signature=SIGNATURE, split="test", data_fingerprint="feed", higher_is_better=True,
        )
        for name in names for number in range(own[name])
    ]  # fmt: skip
    return scores_figure(study, measured), names


def test_a_score_that_rounding_lifts_above_its_bounds_is_drawn(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path, STUDY[: STUDY.index("evaluations:")] + PERFECT))
    highest = ExactMatch().score(["a"], [["a"]]).value * (1 + 1e-15) * 100
    for values in ((highest,), (highest, highest)):
        measured = Measured(
            row="a0", evaluation="e", score="exact_match", values=values, seeds=(1, 2)[: len(values)], statistics=None,
            signature=SIGNATURE, split="test", data_fingerprint="feed", higher_is_better=True,
        )  # fmt: skip
        (drawn,) = scores_figure(study, [measured]).axes[0].containers
        assert drawn[0].get_xdata() == [highest] and highest > 100


@pytest.mark.parametrize("evaluations", [1, 2, 9, 18, 60])
def test_every_point_lies_in_its_rows_band_and_no_two_share_a_place(tmp_path: Path, evaluations: int) -> None:
    figure, names = figure_of(tmp_path, evaluations, [])
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == names
    places = [place for drawn in axis.containers for place in drawn[0].get_ydata()]
    expected = [row for row in range(3) for _ in range(evaluations if row < 2 else 1)]
    assert sorted(round(place) for place in places) == expected
    assert all(abs(place - round(place)) <= 0.4 for place in places)
    distances = [high - low for low, high in zip(sorted(places), sorted(places)[1:], strict=False)]
    inches = figure.get_size_inches()[1] * axis.get_position().height / 3
    assert min(distances) * inches > 0.1, "lines stand on each other"


def test_evaluations_can_be_told_apart_and_the_legend_covers_none(tmp_path: Path) -> None:
    figure, _ = figure_of(tmp_path, 60, [])
    figure.canvas.draw()
    axis = figure.axes[0]
    looks = [(drawn[0].get_color(), drawn[0].get_marker()) for drawn in axis.containers]
    assert len(set(looks)) == len(looks) == 60
    assert axis.get_legend().get_window_extent().x0 > axis.get_window_extent().x1


def test_published_values_stand_beside_the_evaluation_that_they_are_about(tmp_path: Path) -> None:
    published = [("a0", "e0", 13.8), ("a0", "e1", 23.6), ("a2", "e0", 50.0)]
    figure, names = figure_of(tmp_path, 2, published)
    axis = figure.axes[0]
    points = {f"e{number}": drawn[0] for number, drawn in enumerate(axis.containers)}
    known = {value: (names.index(row), evaluation) for row, evaluation, value in published}
    diamonds = [tuple(point) for drawn in axis.collections for point in drawn.get_offsets() if point[0] in known]
    assert {value for value, _ in diamonds} == set(known)
    for value, place in diamonds:
        row, evaluation = known[value]
        assert round(place) == row and place in points[evaluation].get_ydata()
