"""The page has every line of the table of decoders, in the units of its scores, and no text of it can act."""

import html.parser
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.significance import Interval
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.decoder_chart import decoder_chart
from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.page import render
from s2s_lab.reports.page_data import Limits, page_data
from s2s_lab.reports.runs import collect
from tests.reports.decoding_grid import Table, grid_comparison, table_of, tables_of, write_grid
from tests.reports.synthetic import HOSTILE


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return grid_comparison(tmp_path_factory.mktemp("grid"))


def order_of(comparison: Comparison) -> dict[str, int]:
    return {row.key: place for place, row in enumerate(comparison.rows)}


def test_every_line_is_drawn_in_the_units_of_the_page(grid: Comparison) -> None:
    (split,) = grid.splits
    table = table_of(split)
    found = decoder_chart(table, split, order_of(grid))
    assert found is not None
    assert [score["name"] for score in found["scores"]] == ["bleu", "exact_match"]
    factors = {"bleu": 1, "exact_match": 100}
    for line, row in zip(found["rows"], table.rows, strict=True):
        for name, factor in factors.items():
            own = row.scores[name]
            assert line["scores"][name] == pytest.approx([factor * own.mean, factor * own.low, factor * own.high])
        assert (line["run"], line["strategy"], line["signature"]) == (row.run, row.strategy, row.signature)
        assert line["speed"] == row.sentences_per_second
        assert line["errors"] == pytest.approx(100 * (row.search_errors or 0))
        assert row.run.startswith(grid.rows[line["row"]].label)
    assert len({(line["strategy"], line["symbol"]) for line in found["rows"]}) == len(
        {line["strategy"] for line in found["rows"]}
    )


def test_unknown_numbers_stay_unknown(grid: Comparison) -> None:
    (split,) = grid.splits
    row = table_of(split).rows[0]
    scores = {"bleu": Interval(30.0, math.nan, math.nan, 1), "exact_match": Interval(math.nan, math.nan, math.nan, 1)}
    odd = replace(
        row,
        scores=scores,
        run="someone else's",
        folder=Path("elsewhere"),
        sentences_per_second=None,
        search_errors=None,
    )
    found = decoder_chart(Table([odd]), split, order_of(grid))
    assert found is not None
    (line,) = found["rows"]
    assert line["scores"] == {"bleu": [30.0, None, None]}
    assert (line["speed"], line["errors"]) == (None, None)
    assert line["row"] >= len(grid.rows), "a run of no row has a colour of its own"
    assert decoder_chart(Table([]), split, order_of(grid)) is None


class Sections(html.parser.HTMLParser):
    """Collects the ids of sections, unexpected elements, and the embedded data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str | None] = set()
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids.add(dict(attrs).get("id"))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data


def test_sections_are_there_where_their_data_are(grid: Comparison, comparison: Comparison) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    ours = {"beam-sizes", "errors", "trees", "decoders-chart"}
    full = Sections(render(grid, limits=Limits(5, 0), tables=tables_of(grid), now=now))
    assert ours <= full.ids and "speed-chart" not in full.ids
    plain = Sections(render(comparison, limits=Limits(5, 0), now=now))
    assert plain.ids & ours == {"errors"}, "two strategies of a run can be compared, and nothing else is recorded"
    assert "speed-chart" in plain.ids
    assert len(full.scripts) == 3 and "img" not in full.tags
    data = json.loads(full.scripts[0])
    assert HOSTILE in data["splits"][0]["beam_trees"]["strategies"][0]["sentences"][0]["token"]


def test_the_page_says_how_many_trees_it_leaves_out(grid: Comparison, monkeypatch) -> None:
    monkeypatch.setattr("s2s_lab.reports.beam_trees.MOST_NODES_OF_SPLIT", 300)
    (split,) = page_data(grid, Limits(5, 0))["splits"]
    kept = sum(len(tree["parent"]) for item in split["beam_trees"]["strategies"] for tree in item["sentences"])
    assert 0 < kept <= 300 and split["beam_trees"]["left_out"] > 0
    page = render(grid, limits=Limits(5, 0))
    assert f"{split['beam_trees']['left_out']} trees are not kept in the page" in page


def test_a_broken_record_names_its_file(tmp_path: Path) -> None:
    root = write_grid(tmp_path, models=("gru",))
    path = next(root.rglob("beams.json"))
    path.write_text("{")
    with pytest.raises(RequestError, match=r"beams\.json"):
        render(compare(collect([root]), samples=5), limits=Limits(5, 0))
