"""Searches on the page, in a real browser: quality against speed, beam sizes, search errors, a tree to explore."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from s2s_lab.reports.page import write_page
from s2s_lab.reports.page_data import Limits
from tests.end_to_end.opened import Opened
from tests.reports.decoding_grid import SIZES, grid_comparison, tables_of
from tests.reports.synthetic import HOSTILE

LINES = {"decoders-chart": 13, "beam-scores-chart": 4, "beam-ratios-chart": 4, "errors-chart": 6}
"""Chart -> least number of traces: thirteen lines of the table with a speed, two rows with two normalisations."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grid")
    comparison = grid_comparison(folder / "runs")
    write_page(folder / "report.html", comparison, limits=Limits(sentences=5), tables=tables_of(comparison))
    return folder / "report.html"


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    page = Opened(browser, report)
    yield page
    page.context.close()
    assert page.requests == []
    assert page.complaints == []


def focused(opened: Opened) -> str:
    return opened.page.evaluate("document.activeElement.getAttribute('aria-label')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_drawing_draws_at_every_width(browser: Browser, report: Path, width: int, scheme: str) -> None:
    opened = Opened(browser, report, width=width, scheme=scheme)
    for chart, least in LINES.items():
        assert min(opened.box(f"#{chart} svg.main-svg")) > 150, chart
        assert opened.page.locator(f"#{chart} .scatterlayer .trace").count() >= least, chart
    assert min(opened.box("#trees-frame svg.tree")) > 100
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert opened.page.evaluate("window.hacked") is None and opened.page.locator("img").count() == 0
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()


def test_the_front_is_what_no_other_beats_in_both(opened: Opened) -> None:
    for score in ("bleu", "exact_match"):
        opened.page.select_option("#decoders-score", score)
        rows = opened.page.evaluate("lab.split.decoders.rows")
        points = [(row["speed"], row["scores"][score][0]) for row in rows]
        starred = opened.page.evaluate(
            "[...document.querySelectorAll('#decoders-table tbody tr')].map(row => row.classList.contains('on-front'))"
        )
        for (speed, quality), star in zip(points, starred, strict=True):
            beaten = speed is None or any(
                other >= speed and value >= quality and (other, value) != (speed, quality)
                for other, value in points
                if other is not None
            )
            assert star == (not beaten), (score, speed, quality)


def test_a_point_tells_its_signature_and_the_table_sorts(opened: Opened) -> None:
    opened.page.locator("#decoders-chart").scroll_into_view_if_needed()
    opened.page.locator("#decoders-chart .points path").first.hover(force=True)
    opened.page.wait_for_selector("#decoders-chart .hoverlayer .hovertext")
    told = opened.page.locator("#decoders-chart .hoverlayer").text_content() or ""
    assert "max:200" in told and "<img src=x" in told and "interval" in told
    heads = opened.page.locator("#decoders-table thead button")
    heads.nth(4).click()  # sentences per second
    keys = [
        cell.get_attribute("data-key") for cell in opened.page.locator("#decoders-table tbody td:nth-child(5)").all()
    ]
    known = [float(key) for key in keys if key]
    assert known == sorted(known, reverse=True) and len(known) > 5
    assert keys[-1] is None, "what is not known goes last"


def test_sizes_stand_on_the_axis(opened: Opened) -> None:
    for chart in ("beam-scores-chart", "beam-ratios-chart"):
        ticks = opened.page.locator(f"#{chart} .xtick text").all_text_contents()
        assert ticks == [str(size) for size in SIZES]
    opened.page.select_option("#beam-sizes-score", "exact_match")
    assert "Exact match" in opened.page.locator("#beam-scores-chart").inner_text()
    legend = opened.page.locator("#beam-scores-chart .legendtext").all_text_contents()
    assert any("normalisation none" in text for text in legend)


def test_strategies_of_the_errors_can_be_chosen(opened: Opened) -> None:
    chips = opened.page.locator("#errors-entries button")
    drawn = opened.page.locator("#errors-chart .scatterlayer .trace")
    assert chips.count() == 14 and drawn.count() == 6
    chips.nth(0).click()
    expect(drawn).to_have_count(5)
    chips.nth(13).click()
    expect(drawn).to_have_count(6)


def choose(opened: Opened, strategy: str, sentence: int = 0) -> dict:
    """Choose a tree and give it as the page has it."""
    opened.page.select_option("#trees-strategy", label=strategy)
    opened.page.select_option("#trees-sentence", str(sentence))
    return opened.page.evaluate(
        "lab.split.beam_trees.strategies[document.getElementById('trees-strategy').value]"
        ".sentences[document.getElementById('trees-sentence').value]"
    )


def test_cut_candidates_are_hidden_until_asked_for(opened: Opened) -> None:
    tree = choose(opened, "gru · beam (size 4, norm nopenalty)", 2)
    cuts = tree["fate"].count(2)
    nodes = opened.page.locator("#trees-frame .node")
    assert 0 < cuts < len(tree["fate"])
    assert nodes.count() == len(tree["fate"]) - cuts
    assert opened.page.locator("#trees-frame .node.cut").count() == 0
    opened.page.check("#trees-cut")
    assert nodes.count() == len(tree["fate"])
    assert opened.page.locator("#trees-frame .node.cut").count() == cuts


def test_fates_have_shapes_of_their_own_and_no_two_nodes_one_place(opened: Opened) -> None:
    choose(opened, "gru · beam (size 4, norm average)")
    opened.page.check("#trees-cut")
    shapes = opened.page.evaluate(
        """[...document.querySelectorAll('#trees-frame .node')].map(node => [node.classList[1],
            node.querySelector(':scope > :nth-child(2)').outerHTML])"""
    )
    by_fate: dict[str, set[str]] = {}
    for fate, drawn in shapes:
        by_fate.setdefault(fate, set()).add(drawn)
    assert len(by_fate) >= 4 and all(len(drawn) == 1 for drawn in by_fate.values())
    assert len(set.union(*by_fate.values())) == len(by_fate)
    places = opened.page.evaluate(
        "[...document.querySelectorAll('#trees-frame .node')].map(node => node.getAttribute('transform'))"
    )
    assert len(set(places)) == len(places)


def test_the_best_path_is_marked_from_the_start_to_its_end(opened: Opened) -> None:
    tree = choose(opened, "lstm · beam (size 16, norm nopenalty)", 1)
    place, tokens = tree["best"][0], []
    while place is not None:
        tokens.insert(0, tree["token"][place])
        place = tree["parent"][place]
    assert opened.page.locator("#trees-frame .node.best").count() == len(tokens)
    assert opened.page.locator("#trees-frame .edge.best").count() == len(tokens) - 1
    said = " ".join(token for token in tokens[1:] if token != "</s>")
    assert opened.texts("#trees-returned .said")[0] == said


def test_the_tree_is_walked_by_the_keyboard(opened: Opened) -> None:
    choose(opened, "gru · beam (size 4, norm nopenalty)")
    assert opened.page.locator("#trees-frame .node[tabindex='0']").count() == 1
    opened.page.focus("#trees-frame .node[tabindex='0']")
    assert focused(opened).startswith("<s>: start of the search")
    opened.page.keyboard.press("ArrowRight")
    first = focused(opened)
    assert "log-probability" in first and "step 1" in first
    expect(opened.page.locator("#trees-tip")).to_be_visible()
    assert "log-probability \u2212" in opened.texts("#trees-tip")[0]
    opened.page.keyboard.press("ArrowDown")
    assert focused(opened) != first and "step 1" in focused(opened)
    opened.page.keyboard.press("ArrowUp")
    assert focused(opened) == first
    opened.page.keyboard.press("End")
    assert "returned as number 1" in focused(opened)
    opened.page.keyboard.press("Home")
    opened.page.keyboard.press("ArrowLeft")
    assert focused(opened).startswith("<s>")
    before = opened.box("#trees-frame svg.tree")[0]
    opened.page.keyboard.press("+")
    assert opened.box("#trees-frame svg.tree")[0] > before
    opened.page.keyboard.press("Escape")
    expect(opened.page.locator("#trees-tip")).to_be_hidden()


def test_hostile_tokens_stay_text(opened: Opened) -> None:
    tree = choose(opened, "gru · beam (size 16, norm average)", 1)
    assert HOSTILE in tree["token"] and tree["source"] == HOSTILE.split()
    node = opened.page.locator("#trees-frame .node[aria-label^='</script>']").first
    node.focus()
    assert "<img src=x" in opened.texts("#trees-tip")[0]
    assert "</script><img" in opened.texts("#trees-note")[0]
    assert opened.page.locator("img").count() == 0
    assert opened.page.evaluate("window.hacked") is None


def test_another_strategy_keeps_the_sentence(opened: Opened) -> None:
    choose(opened, "gru · beam (size 4, norm average)", 2)
    opened.page.select_option("#trees-strategy", label="lstm · beam (size 4, norm nopenalty)")
    assert opened.page.input_value("#trees-sentence") == "2"
    opened.page.click("#trees-zoom button[value=fit]")
    frame, drawn = opened.box("#trees-frame"), opened.box("#trees-frame svg.tree")
    assert drawn[0] <= frame[0] + 1
