"""Whatever lies in a run folder, comparing and reporting end well or with one line, and show text as text."""

import csv
import html.parser
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.assemble.command import one_line
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.facts import write_facts
from s2s_lab.reports.page import render
from s2s_lab.reports.page_data import Limits
from s2s_lab.reports.runs import collect
from s2s_lab.reports.terminal import print_comparison
from tests.fuzz.conftest import budget
from tests.fuzz.strategies import VALUES, altered, damaged
from tests.reports.synthetic import sentences, write_run

TRIED: Counter[str] = Counter()
FILES = ["run.json", "config.yaml", "metrics.csv", "word_counts.json", "scores.json", "segments.jsonl",
         "hypotheses.txt", "references.txt", "sources.txt", "attention.npz"]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _told() -> Any:
    yield
    print(f"\ntried: {dict(TRIED)}")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest")
    made = sentences(6)
    for name in ("gru_attention", "lstm"):
        write_run(folder, name, 1, made=made, strategies=("greedy",))
    return folder


def shown_or_refused(folder: Path) -> str | None:
    """The page of the runs in a folder, after the terminal's tables and the facts; None where they were refused."""
    from rich.console import Console

    TRIED["folders"] += 1
    try:
        comparison = compare(collect([folder]), samples=20)
        print_comparison(comparison, Console(file=io.StringIO(), width=100))
        write_facts(folder / "facts.json", comparison)
        with mock.patch("plotly.offline.get_plotlyjs", lambda: "0"):  # the library's own 5 MB say nothing here
            return render(comparison, limits=Limits(sentences=3, attention=1))
    except RequestError as error:
        assert 0 < len(one_line(error)) < 4000
        TRIED["refused"] += 1
        return None


def place_of(folder: Path, name: str) -> Path:
    """The first file of that name below a folder."""
    return sorted(folder.rglob(name))[0]


@budget(40)
@given(data=st.data())
def test_damaged_files(honest: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("runs") / "runs"
    shutil.copytree(honest, folder)
    path = place_of(folder, data.draw(st.sampled_from(FILES)))
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    shown_or_refused(folder)
    shutil.rmtree(folder)


@budget(60)
@given(data=st.data())
def test_altered_records(honest: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("runs") / "runs"
    shutil.copytree(honest, folder)
    path = place_of(
        folder, data.draw(st.sampled_from(["run.json", "scores.json", "word_counts.json", "segments.jsonl"]))
    )
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    lines[-1] = json.dumps(data.draw(altered(json.loads(lines[-1]))))
    path.write_text("\n".join(lines) + "\n", errors="surrogatepass")
    shown_or_refused(folder)
    shutil.rmtree(folder)


@budget(40)
@given(table=st.lists(st.lists(st.text(max_size=6) | VALUES.map(str) | st.just("nan"), max_size=5), max_size=5))
def test_any_learning_curves(honest: Path, tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]) -> None:
    folder = tmp_path_factory.mktemp("runs") / "runs"
    shutil.copytree(honest, folder)
    with place_of(folder, "metrics.csv").open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows(table)
    shown_or_refused(folder)
    shutil.rmtree(folder)


class Tags(html.parser.HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "img", "iframe", "object", "embed", "svg", "form", "base"):
            self.found[tag] += 1
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("href", "src") or (value or "#").startswith(("#", "data:,"))


ATTACKS = st.sampled_from(
    ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\u2028\u2029", "<!--<script>", "&lt;b&gt;",
     "' onload='x", '" onfocus="x', "{{ 7 * 7 }}", "{% raw %}", "javascript:alert(1)", "</title>", "]]>", "\x00", "[/]",
     "[bold]", "<svg/onload=x>", "</style>", "\\u003c"]
)  # fmt: skip


@budget(25)
@given(attack=ATTACKS | st.text(max_size=20), place=st.sampled_from(
    ["name", "experiment", "command", "choices", "git", "versions", "machine", "devices", "reason", "metric",
     "signature", "split", "strategy", "warning", "source", "hypothesis", "reference", "word", "curve",
     "key"]))  # fmt: skip
def test_hostile_text_stays_text(
    honest: Path, tmp_path_factory: pytest.TempPathFactory, attack: str, place: str
) -> None:
    """No text of a record makes an element, an attribute or an end of a script; the data read back as they were."""
    folder = tmp_path_factory.mktemp("runs") / "runs"
    shutil.copytree(honest, folder)
    run = RunFolder(place_of(folder, "run.json").parent)
    attack = attack.encode("utf-8", "replace").decode()
    facts: dict[str, Any] = {
        "name": {"name": attack}, "experiment": {"experiment": attack}, "command": {"command": attack},
        "choices": {"choices": {attack: attack}}, "git": {"git": {"commit": attack}},
        "versions": {"versions": {"torch": attack}},
        "machine": {"machine": {"cpu": attack}}, "devices": {"machine": {"devices": [attack]}},
        "reason": {"under_trained": {"flag": True, "reason": attack}},
    }.get(place, {})  # fmt: skip
    run.update(facts)
    line = re.sub(r"[\r\n]", " ", attack)
    scores = place_of(folder, "scores.json")
    content = json.loads(scores.read_text())
    if place == "metric":
        content["scores"][0]["name"] = attack
    elif place == "signature":
        content["scores"][1]["signature"] += f"|x:{attack}"
    elif place in ("split", "strategy"):
        content[place] = attack
    elif place == "warning":
        content["warnings"] = [attack]
    elif place == "word":
        run.write_word_counts({attack: 3})
    elif place == "curve":
        with run.metrics_csv.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["step", attack], [1, 2], [2, 3]])
    elif place == "key":
        run.write_configuration({**run.configuration(), attack: attack})
    elif place in ("source", "hypothesis", "reference"):
        name = {"source": "sources.txt", "hypothesis": "hypotheses.txt", "reference": "references.txt"}[place]
        for path in folder.rglob(name):
            path.write_text(f"{line}\n" * content["sentences"], encoding="utf-8", newline="")
    scores.write_text(json.dumps(content))
    page = shown_or_refused(folder)
    if page is not None:
        assert Tags(page).found == {"script": 3, "style": 1}
        data = json.loads(page.split('id="data">')[1].split("</script>")[0])
        if place == "source":
            assert set(data["splits"][0]["browser"]["sources"]) == {line}
    shutil.rmtree(folder)
