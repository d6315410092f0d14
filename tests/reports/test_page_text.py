"""The page carries everything it needs, and no text of the data can act in it."""

import html.parser
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from s2s_lab.reports.comparison import compare
from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.page import embedded, render, write_page
from s2s_lab.reports.page_data import MOST_POINTS, Limits, curves, page_data
from s2s_lab.reports.runs import collect
from tests.reports.synthetic import HOSTILE, sentences, write_run

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Elements(html.parser.HTMLParser):
    """Collects start tags with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def page(comparison: Comparison) -> str:
    return render(comparison, limits=Limits(), now=NOW)


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    for tag, attributes in Elements(page).tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("data:", "#")), (tag, name)
    assert "url(" not in page.split("</style>")[0]
    policies = [attributes["content"] for tag, attributes in Elements(page).tags if "http-equiv" in attributes]
    assert len(policies) == 1 and "default-src 'none'" in policies[0]


def test_hostile_text_stays_text(page: str, comparison: Comparison) -> None:
    elements = Elements(page)
    assert not [tag for tag, attributes in elements.tags if tag == "img" or "onerror" in attributes]
    assert len(elements.scripts) == 3
    data = json.loads(elements.scripts[0])
    assert HOSTILE in data["splits"][0]["browser"]["sources"]
    assert data == json.loads(json.dumps(data))
    assert "&lt;b&gt;loss&lt;/b&gt; is NaN" in page, "tracebacks are escaped too"


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028\u2029", "&lt;", "{{ 7 * 7 }}", '"'])
def test_embedded_json_gives_back_its_text_and_ends_nothing(text: str) -> None:
    written = str(embedded({"text": text}))
    assert not re.search("[<>&\u2028\u2029]", written)
    assert json.loads(written) == {"text": text}


def test_hostile_labels_titles_and_commands_are_escaped(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=sentences(2), settings={"name": "<script>x</script>"})
    run.update({"name": "<script>x</script>", "command": "s2s-train name='<script>x</script>'"})
    page = render(compare(collect([tmp_path])), limits=Limits(), title="<script>x</script>", now=NOW)
    assert len(Elements(page).scripts) == 3


def test_everything_that_was_found_is_on_the_page(page: str) -> None:
    words = ["gru_attention", "lstm", "under-trained", "interrupted", "0123456789ab", "Example 9000", "Holm-corrected"]
    for text in [*words, "s2s-train data=toy model=gru seed=2", "cell._target_", "GRUCell", "case:lc"]:
        assert text in page, text


def test_the_limit_of_sentences_holds_and_is_told(comparison: Comparison) -> None:
    (split,) = page_data(comparison, Limits(sentences=7, attention=2))["splits"]
    browser = split["browser"]
    assert (len(browser["indices"]), browser["total"]) == (7, 40)
    assert (browser["indices"][0], browser["indices"][-1]) == (0, 39)
    assert {len(outputs) for outputs in browser["outputs"]} == {7}
    assert {len(item["sentences"]) for item in split["attention"]} == {2}
    assert "at most 2 sentences" in render(comparison, limits=Limits(sentences=7, attention=2), now=NOW)
    empty = page_data(comparison, Limits(sentences=0, attention=0))["splits"][0]
    assert (empty["browser"]["indices"], empty["attention"]) == ([], [])


def test_long_curves_are_thinned_but_keep_their_ends(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=sentences(2))
    run.metrics_csv.write_text("step,train/loss\n" + "".join(f"{step},{step}\n" for step in range(1, 5001)))
    drawn = curves(collect([tmp_path]).rows)["runs"][0]["series"]["train/loss"]
    assert len(drawn["step"]) <= MOST_POINTS + 1
    assert (drawn["step"][0], drawn["step"][-1]) == (1, 5000)
    assert drawn["seconds"] is None


def test_curves_over_seconds_have_their_own_times(comparison: Comparison) -> None:
    found = curves(comparison.rows)
    assert found["names"][0] == "validation/bleu"
    series = found["runs"][0]["series"]["validation/bleu"]
    assert series["seconds"] == pytest.approx([step * 0.06 for step in series["step"]])


@pytest.mark.parametrize("status", ["failed", "finished"])
def test_runs_without_any_score_make_a_page_too(tmp_path: Path, status: str) -> None:
    write_run(tmp_path, "gru", 1, made=sentences(2), strategies=(), status=status)
    write_page(tmp_path / "page.html", compare(collect([tmp_path])))
    assert "Nothing has been decoded yet" in (tmp_path / "page.html").read_text(encoding="utf-8")
