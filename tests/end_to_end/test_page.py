"""The report opened in a real browser: every chart draws, controls work, and nothing is asked of the network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from s2s_lab.reports.comparison import compare
from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.page import write_page
from s2s_lab.reports.page_data import Limits
from s2s_lab.reports.runs import collect
from tests.end_to_end.opened import Opened
from tests.reports.synthetic import evaluate, sentences, study_view, write_comparison, write_run, write_sweep

CHARTS = {
    "dots-chart": 6,
    "seeds-chart": 6,
    "curves-chart": 6,
    "speed-chart": 6,
    "source-lengths-chart": 6,
    "reference-lengths-chart": 6,
    "frequency-chart": 6,
}
"""Chart -> least number of marks or lines: six entries, six runs."""


UNMARKED = """said => [...said.childNodes]
    .filter(node => !['INS', 'SPAN'].includes(node.nodeName)).map(node => node.textContent).join('')"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    comparison = compare(collect([write_comparison(folder / "runs")]), samples=50)
    write_page(folder / "report.html", comparison, limits=Limits(sentences=30))
    return folder / "report.html"


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    page = Opened(browser, report)
    yield page
    page.context.close()
    assert page.requests == []
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_draws_without_complaint_or_request(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    opened = Opened(browser, report, width=width, scheme=scheme)
    for chart, least in CHARTS.items():
        across, down = opened.box(f"#{chart} svg.main-svg")
        assert across > 200 and down > 150, chart
        marks = opened.page.locator(f"#{chart} .scatterlayer .trace").count()
        assert marks >= least, chart
        assert any(min(opened_box(opened, chart, place)) > 2 for place in range(marks)), chart
    across, down = opened.box("#attention-chart .heatmaplayer image, #attention-chart .heatmaplayer path")
    assert across > 50 and down > 50
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
        "the page scrolls sideways"
    )
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()


def opened_box(opened: Opened, chart: str, place: int) -> tuple[float, float]:
    found = opened.page.locator(f"#{chart} .scatterlayer .trace").nth(place).bounding_box()
    return (0, 0) if found is None else (found["width"], found["height"])


def test_text_of_the_data_does_not_act(opened: Opened) -> None:
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator("img").count() == 0
    opened.page.fill("#outputs-filter", "window.hacked")
    expect(opened.page.locator(".sentence")).to_have_count(1)
    said = opened.texts(".sentence .said")
    assert said[0].startswith("</script><img src=x onerror=")
    opened.page.select_option("#attention-sentence", "1")
    assert "</script><img" in opened.page.locator("#attention-chart").inner_text()
    assert opened.page.locator("img").count() == 0
    assert opened.page.evaluate("window.hacked") is None


def test_the_filter_finds_text_in_all_columns(opened: Opened) -> None:
    assert opened.page.locator(".sentence").count() == 20
    opened.page.click("#outputs-more")
    assert opened.page.locator(".sentence").count() == 30
    assert not opened.page.locator("#outputs-more").is_visible()
    opened.page.fill("#outputs-filter", "STATION")
    expect(opened.page.locator("#outputs-count")).not_to_contain_text("30 of 30")
    shown = opened.texts(".sentence")
    assert shown and all("station" in text.lower() for text in shown)
    assert opened.texts("#outputs-count")[0].startswith(f"{len(shown)} of 30 sentences, a sample")
    opened.page.fill("#outputs-filter", "no such text anywhere")
    expect(opened.page.locator(".sentence")).to_have_count(0)


def test_the_switches_leave_what_they_say(opened: Opened) -> None:
    opened.page.check("#outputs-differ")
    for index in range(opened.page.locator(".sentence").count()):
        assert opened.page.locator(".sentence").nth(index).locator(".who:has(.swatch)").count() > 1
    opened.page.uncheck("#outputs-differ")
    opened.page.check("#outputs-wrong")
    for index in range(opened.page.locator(".sentence").count()):
        assert opened.page.locator(".sentence").nth(index).locator("ins, del").count() > 0
    opened.page.uncheck("#outputs-wrong")
    for _ in range(3):
        opened.page.locator("#outputs-entries button[aria-pressed=true]").first.click()
    assert opened.page.locator(".sentence .swatch").count() == 0


def test_differences_are_marked_word_by_word(opened: Opened) -> None:
    for sentence in opened.page.locator(".sentence").all()[:10]:
        reference = sentence.locator(".reference").inner_text().split()
        for said in sentence.locator(".said:not(.reference)").all()[1:]:
            kept = said.evaluate(UNMARKED)
            assert kept.split() == reference, "what is not marked as extra is the reference"


def test_the_leaderboard_sorts_by_click(opened: Opened) -> None:
    def column(number: int) -> list[float]:
        cells = opened.page.locator(f".leaderboard tbody tr td:nth-child({number})").all()
        return [float(cell.get_attribute("data-key") or "nan") for cell in cells]

    heads = opened.page.locator(".leaderboard thead button")
    heads.nth(2).click()
    assert column(3) == sorted(column(3), reverse=True)
    assert opened.page.locator(".leaderboard thead th").nth(2).get_attribute("aria-sort") == "descending"
    heads.nth(2).click()
    assert column(3) == sorted(column(3))
    heads.nth(0).click()
    names = opened.texts(".leaderboard tbody th")
    assert names == sorted(names)
    assert opened.page.locator(".leaderboard thead th[aria-sort]").count() == 1


def test_charts_follow_their_controls(opened: Opened) -> None:
    opened.page.select_option("#dots-score", "exact_match")
    assert "Exact match" in opened.page.locator("#dots-chart").inner_text()
    opened.page.select_option("#curves-name", "train/loss")
    opened.page.click("#curves-over button[value=seconds]")
    assert "Seconds of training" in opened.page.locator("#curves-chart").inner_text()
    opened.page.click("#frequency-measure button[value=recall]")
    assert "Word recall" in opened.page.locator("#frequency-chart").inner_text()


def test_attention_is_told_where_the_pointer_is(opened: Opened) -> None:
    before = opened.page.input_value("#attention-sentence")
    opened.page.click("#attention-next")
    opened.page.click("#attention-next")
    assert opened.page.input_value("#attention-sentence") != before
    opened.page.locator("#attention-chart").scroll_into_view_if_needed()
    opened.page.locator("#attention-chart .nsewdrag").hover()
    opened.page.wait_for_selector("#attention-chart .hoverlayer .hovertext")
    assert "attended to" in (opened.page.locator("#attention-chart .hoverlayer").text_content() or "")


def test_another_seed_shows_its_outputs(opened: Opened) -> None:
    def shown() -> list[str]:
        return opened.texts(".sentence .said:not(.reference)")

    first = shown()
    opened.page.select_option("#outputs-seed", label="2")
    assert opened.texts("#outputs-seed-note") == ["Seed 2."]
    second = shown()
    assert second != first
    opened.page.select_option("#outputs-seed", label="1")
    assert shown() == first


def test_a_seed_tells_its_score(opened: Opened) -> None:
    opened.page.locator("#seeds-chart").scroll_into_view_if_needed()
    opened.page.locator("#seeds-chart .points path").first.hover(force=True)
    opened.page.wait_for_selector("#seeds-chart .hoverlayer .hovertext")
    assert "from the mean" in (opened.page.locator("#seeds-chart .hoverlayer").text_content() or "")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    comparison = compare(collect([write_sweep(folder / "runs", count=8, seeds=(1,))]), samples=50)
    write_page(folder / "report.html", comparison, limits=Limits(sentences=5, attention=0), study=study_view())
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_sweep_draws_every_row_across_its_settings(browser: Browser, sweep: Path, width: int, scheme: str) -> None:
    opened = Opened(browser, sweep, width=width, scheme=scheme)
    assert opened.page.locator("#sweep-chart .row").count() == 18
    labels = opened.page.locator("#sweep-chart .label").all_text_contents()
    for setting in ("hidden_size", "dropout", "cell"):
        assert any(setting in label for label in labels), setting
    frame = opened.page.locator("#sweep-chart").bounding_box()
    assert frame is not None
    for text in opened.page.locator("#sweep-chart text").all():
        box = text.bounding_box()
        assert box is not None
        assert frame["x"] - 1 <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    assert opened.page.locator("#importance-chart .barlayer .point").count() == 4
    assert "of 18 runs" in opened.texts("#importance-note")[0]
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()


def test_a_line_of_a_sweep_tells_its_row(browser: Browser, sweep: Path) -> None:
    opened = Opened(browser, sweep)
    opened.page.locator("#sweep").scroll_into_view_if_needed()
    assert not opened.page.locator("#sweep-tip").is_visible()
    opened.page.locator("#sweep-chart .target").last.dispatch_event("pointermove", {"clientX": 500, "clientY": 300})
    told = opened.texts("#sweep-tip")[0]
    best = opened.page.evaluate("lab.data.rows[lab.split.entries[0].row]")
    assert best in told and "encoder.hidden_size: 400" in told
    opened.page.select_option("#sweep-score", "exact_match")
    label = opened.page.locator("#sweep-chart .score .label").text_content() or ""
    assert label.startswith("Exact match %")
    assert opened.complaints == []
    opened.context.close()


def test_claims_and_measurements_of_a_study_draw_and_do_not_act(browser: Browser, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", Comparison((), (), (), (), {}), study=study_view())
    for width in (1280, 390):
        opened = Opened(browser, tmp_path / "page.html", width=width)
        assert opened.texts(".claims .verdict") == [
            "✓ reproduced", "? inconclusive", "? inconclusive", "✓ reproduced", "○ open"
        ]  # fmt: skip
        assert opened.box("#study-chart svg.main-svg")[1] > 150
        assert opened.page.evaluate("window.hacked") is None
        assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert (opened.requests, opened.complaints) == ([], [])
        opened.context.close()


def test_another_split_changes_the_whole_page(browser: Browser, tmp_path: Path) -> None:
    made, other = sentences(12, hostile=False), sentences(5, seed=1, hostile=False)
    for model in ("gru", "lstm"):
        run = write_run(tmp_path / "runs", model, 1, made=made, strategies=("greedy",))
        evaluate(run, "beam", other, 0.7, 1, split="unseen", fingerprint="else")
    write_page(tmp_path / "page.html", compare(collect([tmp_path / "runs"]), samples=20))
    opened = Opened(browser, tmp_path / "page.html")
    assert opened.page.locator("#attention").count() == 0
    assert opened.page.locator(".sentence").count() == 12
    opened.page.select_option("#split", label="unseen")
    assert opened.page.locator(".sentence").count() == 5
    assert opened.page.locator(".leaderboard:visible").count() == 1
    assert "beam" in opened.texts(".lead:visible")[0]
    assert "gru · beam" in opened.page.locator("#dots-chart").inner_text()
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()


def test_a_page_without_scores_opens(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", "gru", 1, made=sentences(2), strategies=())
    write_page(tmp_path / "page.html", compare(collect([tmp_path / "runs"])))
    opened = Opened(browser, tmp_path / "page.html")
    assert opened.box("#curves-chart svg.main-svg")[1] > 150
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()
