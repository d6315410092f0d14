"""The page carries everything it needs, and no text of the data can act in it."""

import html.parser
import itertools
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from s2s_lab.metrics.bleu import BLEU
from s2s_lab.records.curves import curve, read_curves
from s2s_lab.reports import outputs
from s2s_lab.reports.claims import Verdict
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.differences import MISSING, SAME
from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.outputs import browser
from s2s_lab.reports.page import embedded, render, write_page
from s2s_lab.reports.page_data import MOST_POINTS, Limits, curves, page_data
from s2s_lab.reports.runs import collect
from s2s_lab.reports.study_section import StudyView, claims_section
from tests.reports.synthetic import HOSTILE, Sentences, evaluate, sentences, study_view, write_run

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
    kept = split["browser"]
    assert (len(kept["indices"]), kept["total"]) == (7, 40)
    assert (kept["indices"][0], kept["indices"][-1]) == (0, 39)
    assert {len(lines) for of_seeds in kept["outputs"] for lines in of_seeds} == {7}
    assert {len(item["sentences"]) for item in split["attention"]} == {2}
    assert "at most 2 sentences" in render(comparison, limits=Limits(sentences=7, attention=2), now=NOW)
    empty = page_data(comparison, Limits(sentences=0, attention=0))["splits"][0]
    assert (empty["browser"]["indices"], empty["attention"]) == ([], [])


@pytest.mark.parametrize("lowercase", [True, False])
def test_case_counts_in_the_marks_of_outputs_where_it_counts_in_the_score(tmp_path: Path, lowercase: bool) -> None:
    made = sentences(6, hostile=False)
    lowered = Sentences(made.sources, [tuple(text.lower() for text in texts) for texts in made.references])
    run = write_run(tmp_path, "gru", 1, made=made, strategies=())
    folder = evaluate(run, "greedy", lowered, 1.0, 1, metrics=[BLEU(lowercase=lowercase)])
    (folder / "references.txt").write_text("".join(f"{text}\n" for (text,) in made.references), encoding="utf-8")
    (split,) = compare(collect([tmp_path]), samples=20).splits
    found = browser(split, 6)
    assert found["folded"] == lowercase
    kinds = {kind for marked in found["outputs"][0][0] for kind, _ in marked}
    assert (kinds == {SAME}) == lowercase


def test_outputs_of_every_seed_are_kept_once(comparison: Comparison, monkeypatch) -> None:
    (split,) = comparison.splits
    found = browser(split, 10)
    assert found["seeds"] == ["1", "2"]
    for entry, of_seeds in zip(split.entries, found["outputs"], strict=True):
        lines = [evaluation.hypotheses() for evaluation in entry.evaluations]
        for place, seed in itertools.product(range(10), range(2)):
            index = found["indices"][place]
            pieces = of_seeds[seed][place]
            assert (pieces == 0) == (seed == 1 and lines[1][index] == lines[0][index])
            said = " ".join(words for kind, words in pieces or of_seeds[0][place] if kind != MISSING)
            assert said == " ".join(lines[seed][index].split())
    monkeypatch.setattr(outputs, "MOST_OUTPUTS", 100)
    fewer = browser(split, 10)
    assert (fewer["seeds"], fewer["left_out"]) == (["1"], 1)


def test_an_output_that_is_not_written_again_is_that_of_the_first_seed_of_its_row_on_the_page(tmp_path: Path) -> None:
    """The best row lacks a seed, so that its first seed is not that of the others."""
    made = sentences(30)
    for model, seeds in (("gru", (2, 10)), ("lstm", (10, 1, 2))):
        for seed in seeds:
            write_run(tmp_path, model, seed, made=made, strategies=("greedy",), quality=0.95 if model == "gru" else 0.4)
    (split,) = compare(collect([tmp_path]), samples=20).splits
    found = browser(split, 30)
    assert found["seeds"] == ["1", "2", "10"]
    for entry, of_seeds in zip(split.entries, found["outputs"], strict=True):
        first = next(lines for lines in of_seeds if lines is not None)
        for run, evaluation in zip(entry.runs, entry.evaluations, strict=True):
            lines = of_seeds[found["seeds"].index(str(run.seed))]
            for place, line in enumerate(evaluation.hypotheses()):
                said = " ".join(words for kind, words in lines[place] or first[place] if kind != MISSING)
                assert said == " ".join(line.split())


def test_a_row_without_a_seed_has_no_outputs_of_it(tmp_path: Path) -> None:
    made = sentences(4)
    for model, seed in (("gru", 1), ("gru", 2), ("lstm", 2)):
        write_run(tmp_path, model, seed, made=made, strategies=("greedy",), quality=0.9 if model == "gru" else 0.1)
    (split,) = compare(collect([tmp_path]), samples=20).splits
    found = browser(split, 4)
    assert found["seeds"] == ["1", "2"]
    assert found["outputs"][1][0] is None and len(found["outputs"][1][1]) == 4


def test_claims_are_on_the_page_and_their_text_stays_text(comparison: Comparison) -> None:
    page = render(comparison, limits=Limits(), study=study_view(), now=NOW)
    elements = Elements(page)
    assert not [tag for tag, attributes in elements.tags if tag == "img" or "onerror" in attributes]
    assert len(elements.scripts) == 3
    assert "5 claims: 2 reproduced, 2 inconclusive, 1 open." in page
    for text in ("≤ 1.0", "More data, better scores", "Not measured yet: exact_match of attention", "&lt;/script&gt;"):
        assert text in page, text
    (group,) = json.loads(elements.scripts[0])["study"]
    assert HOSTILE in [row["label"] for row in group["rows"]]


def test_a_study_alone_makes_a_page(tmp_path: Path) -> None:
    page = render(Comparison((), (), (), (), {}), limits=Limits(), study=study_view(), now=NOW)
    identifiers = {attributes.get("id") for tag, attributes in Elements(page).tags if tag == "section"}
    assert identifiers == {"claims"}
    assert "<h1>Lake &amp; Baroni 2018</h1>" in page and "99.70" in page
    nothing = render(
        Comparison((), (), (), (), {}), limits=Limits(), study=StudyView("Empty", "", "", "", (), ()), now=NOW
    )
    assert "The study makes no claims." in nothing


def test_verdicts_are_counted_and_told_how_many_seeds_they_need() -> None:
    section = claims_section(study_view().verdicts)
    by_claim = {line.says: line for line in section.lines}
    assert by_claim["The best solves it"].kind == "reproduced"
    assert "more seeds of each row would tell" in by_claim["size"].reason
    single = Verdict("id", "value", "", "", None, "", "inconclusive", "one seed", 1)
    (line,) = claims_section([single]).lines
    assert (line.says, line.published) == ("id", "–")  # noqa: RUF001
    assert line.reason == "One seed. About 1 more seed of each row would tell."


def test_a_sweep_has_axes_and_importance_where_there_are_runs_enough(comparison: Comparison) -> None:
    data = page_data(comparison, Limits(0, 0))
    assert [axis["label"] for axis in data["axes"]] == ["cell", "attention"]
    assert data["splits"][0]["importance"] is None, "six runs are too few"
    assert 'id="sweep"' in render(comparison, limits=Limits(0, 0), now=NOW)


def test_long_curves_are_thinned_but_keep_their_ends(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=sentences(2))
    run.metrics_csv.write_text("step,train/loss\n" + "".join(f"{step},{step}\n" for step in range(1, 5001)))
    drawn = curves(collect([tmp_path]).rows)["runs"][0]["series"]["train/loss"]
    assert len(drawn["step"]) <= MOST_POINTS + 1
    assert (drawn["step"][0], drawn["step"][-1]) == (1, 5000)
    assert drawn["seconds"] is None


def test_curves_of_shares_are_in_the_unit_of_the_tables(tmp_path: Path) -> None:
    run = write_run(tmp_path, "gru", 1, made=sentences(4))
    run.metrics_csv.write_text(run.metrics_csv.read_text().replace("validation/bleu", "validation/token_accuracy"))
    found = curves(collect([tmp_path]).rows)
    recorded = read_curves(run.metrics_csv)
    assert found["suffixes"] == {"validation/token_accuracy": " %"}
    for name, series in found["runs"][0]["series"].items():
        factor = 100 if name in found["suffixes"] else 1
        assert series["value"] == pytest.approx((factor * curve(recorded, name)[1]).tolist())


def test_curves_over_seconds_have_their_own_times(comparison: Comparison) -> None:
    found = curves(comparison.rows)
    assert found["names"][0] == "validation/bleu"
    series = found["runs"][0]["series"]["validation/bleu"]
    assert series["seconds"] == pytest.approx([step * 0.06 for step in series["step"]])


@pytest.mark.parametrize("status", ["failed", "finished"])
def test_runs_without_any_score_make_a_page_too(tmp_path: Path, status: str) -> None:
    write_run(tmp_path, "gru", 1, made=sentences(2), strategies=(), status=status).update({"best": None})
    write_page(tmp_path / "page.html", compare(collect([tmp_path])))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Nothing has been decoded or validated yet" in page
    section = page[
        page.index('<section id="results">') : page.index("</section>", page.index('<section id="results">'))
    ]
    assert ("s2s-evaluate runs=[" in section) == (status == "finished"), "what fills the section is in it"
    assert "<p>" in section
