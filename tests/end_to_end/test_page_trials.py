"""A search for settings on the page, in a real browser: trials, validations, fronts, slices, importance."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from s2s_lab.reports.comparison import compare
from s2s_lab.reports.page import write_page
from s2s_lab.reports.page_data import Limits
from s2s_lab.reports.runs import collect
from tests.end_to_end.opened import Opened
from tests.reports.synthetic import sentences, write_run
from tests.reports.test_trials import hostile_record, written


def report(folder: Path, *objectives: int) -> Path:
    for count in objectives:
        write_run(folder / f"of_{count}", "gru", count, made=sentences(4))
        written(folder / f"of_{count}", hostile_record(count))
    runs = collect([folder / f"of_{count}" for count in objectives])
    write_page(folder / "report.html", compare(runs, samples=20), limits=Limits(sentences=4))
    return folder / "report.html"


def points(opened: Opened, chart: str) -> int:
    return opened.page.locator(f"#{chart} .scatterlayer .points path").count()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_one_objective(browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    opened = Opened(browser, report(tmp_path, 1), width=width, scheme=scheme)
    assert points(opened, "trials-history") == 4, "three finished trials and the one stopped early"
    assert opened.page.locator("#trials-courses .scatterlayer .trace").count() == 4
    assert not opened.page.locator("#trials-front").is_visible()
    assert opened.page.locator("#trials-note").inner_text() == "Not shown, without a value: 1 refused."
    best = opened.page.evaluate("document.getElementById('trials-history').data[0].y")
    assert best == [20, 30, 30]
    assert points(opened, "trials-slice") == 4
    opened.page.select_option("#trials-dimension", "1")
    assert points(opened, "trials-slice") == 1, "one trial alone has this dimension"
    assert opened.page.locator("#trials-importance .bars .point").count() == 2
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert opened.page.evaluate("window.hacked") is None and opened.page.locator("img").count() == 0
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()


def test_two_objectives_and_two_searches(browser: Browser, tmp_path: Path) -> None:
    opened = Opened(browser, report(tmp_path, 1, 2))
    opened.page.select_option("#trials-search", label="of_2")
    assert points(opened, "trials-front") == points(opened, "trials-history") == 3
    assert not opened.page.locator("#trials-courses").is_visible()
    opened.page.select_option("#trials-objective", label="Parameters")
    best = opened.page.evaluate("document.getElementById('trials-history').data[0].y")
    assert best == pytest.approx([5e6 / 20, 5e6 / 30, 5e6 / 30]), "fewer parameters are better"
    assert not opened.page.locator("#trials-importance").is_visible(), "nothing is known of this objective"
    opened.page.select_option("#trials-search", label="of_1")
    assert not opened.page.locator("#trials-front").is_visible() and opened.page.locator("#trials-courses").is_visible()
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()
