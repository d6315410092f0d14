"""The charts of a page, in a real browser, say what its tables say: in the same order and in the same units."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from s2s_lab.reports.comparison import compare
from s2s_lab.reports.page import write_page
from s2s_lab.reports.runs import collect
from tests.end_to_end.opened import Opened
from tests.reports.synthetic import sentences, study_view, write_run
from tests.reports.test_trials import hostile_record, written

LABELS = "id => document.getElementById(id).layout.yaxis.ticktext"
TITLE = "id => document.getElementById(id).layout.yaxis.title.text"


@pytest.fixture
def tied(tmp_path: Path) -> Path:
    """Three models that write the same outputs, a search beside them whose objective is a share."""
    made = sentences(12, hostile=False)
    for model in ("gru", "lstm", "rnn"):
        for seed in (1, 2):
            run = write_run(tmp_path / "runs", model, seed, made=made, strategies=("greedy",))
            run.metrics_csv.write_text(run.metrics_csv.read_text().replace("validation/bleu", "validation/exact_match"))
    searched = hostile_record()
    searched["objectives"][0]["name"] = "exact_match"
    written(tmp_path / "runs", searched)
    write_page(tmp_path / "page.html", compare(collect([tmp_path / "runs"]), samples=20), study=study_view())
    return tmp_path / "page.html"


def test_rows_that_tie_stand_as_in_the_table_and_a_share_has_its_unit_in_every_chart(
    browser: Browser, tied: Path
) -> None:
    opened = Opened(browser, tied)
    table = [name.split("under-trained")[0].strip() for name in opened.texts(".leaderboard tbody th")]
    assert len(table) == 3
    for chart in ("dots-chart", "seeds-chart"):
        labels = opened.page.evaluate(LABELS, chart)
        top_down = [label.split("<")[0].split(" ·")[0].strip() for label in reversed(labels)]
        assert top_down == table, chart
    opened.page.select_option("#curves-name", "validation/exact_match")
    for chart in ("curves-chart", "trials-history", "trials-courses", "trials-slice"):
        assert " %" in opened.page.evaluate(TITLE, chart), chart
    opened.page.select_option("#curves-name", "train/loss")
    assert "%" not in opened.page.evaluate(TITLE, "curves-chart")
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()
