"""The charts of a page, in a real browser, say what its tables say: in the same order and in the same units."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from s2s_lab.reports.comparison import compare
from s2s_lab.reports.decoders import decoder_tables
from s2s_lab.reports.page import write_page
from s2s_lab.reports.page_data import Limits
from s2s_lab.reports.runs import collect
from tests.end_to_end.opened import Opened
from tests.reports.synthetic import sentences, study_view, write_run, write_sweep
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


def test_a_sweep_that_was_never_decoded_draws_by_its_validations_and_hides_what_needs_outputs(
    browser: Browser, tmp_path: Path
) -> None:
    made = sentences(8)
    for place, size in enumerate((64, 128, 256)):
        for seed in (1, 2, 3):
            settings = {"encoder": {"hidden_size": size}}
            run = write_run(tmp_path / "runs", "gru", seed, made=made, strategies=(), settings=settings)
            run.update({"best": {"metric": "bleu", "value": 20.0 + 5 * place + seed / 9}})
    write_run(tmp_path / "runs", "lstm", 1, made=made, strategies=("greedy",))
    write_page(tmp_path / "page.html", compare(collect([tmp_path / "runs"]), samples=20), limits=Limits(sentences=4))
    opened = Opened(browser, tmp_path / "page.html")
    assert opened.page.locator("#outputs").is_visible()
    opened.page.select_option("#split", label="validation")
    assert not any(opened.page.locator(f"#{part}").is_visible() for part in ("outputs", "lengths", "speed"))
    assert opened.page.locator("#sweep-chart .row").count() == 4
    assert opened.page.locator("#importance-chart .bars .point").count() >= 1
    names = [name.strip() for name in opened.texts(".board:not([hidden]) .leaderboard tbody th")]
    assert "hidden_size=256" in names[0] and "lstm" in names[1] and "hidden_size=64" in names[3]
    opened.page.select_option("#split", label="test")
    assert opened.page.locator("#outputs").is_visible()
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Four rows of one name and long labels that differ in two settings; no output has a right word."""
    made = sentences(12, hostile=False)
    for cell in ("GRU", "LSTM"):
        for attention in ("DotAttention", "AdditiveAttention"):
            settings = {
                "cell": {"_target_": f"s2s_lab.models.cells.any.{cell}Cell"},
                "attention": {"_target_": f"s2s_lab.models.attentions.any.{attention}"},
            }
            write_run(tmp_path / "runs", "gru_attention", 1, made=made, quality=0.0, settings=settings)
    comparison = compare(collect([tmp_path / "runs"]), samples=20)
    write_page(tmp_path / "page.html", comparison, limits=Limits(sentences=4), tables=decoder_tables(comparison))
    return tmp_path / "page.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_long_names_are_whole_in_legends_and_beside_marks(browser: Browser, named: Path, width: int) -> None:
    opened = Opened(browser, named, width=width)
    entries = opened.page.evaluate("lab.split.entries.map((entry) => entry.label)")
    for chart in ("source-lengths-chart", "reference-lengths-chart"):
        frame = opened.page.locator(f"#{chart}").bounding_box()
        names = opened.page.locator(f"#{chart} .legendtext")
        assert frame is not None
        assert [" ".join((name.text_content() or "").split()).replace(" ", "") for name in names.all()] == [
            label.replace(" ", "") for label in entries
        ]
        for name in names.all():
            box = name.bounding_box()
            assert box is not None and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1, chart
    notes = opened.page.evaluate(
        "document.getElementById('decoders-chart').layout.annotations.map((note) => note.text)"
    )
    assert notes and len(set(notes)) == len(notes)
    assert all(
        note.endswith(("· greedy", "· beam")) and note.startswith("cell=" if width > 1000 else ("GRU", "LSTM"))
        for note in notes
    )
    assert (opened.requests, opened.complaints) == ([], [])
    opened.context.close()


def test_an_axis_has_ticks_to_read_it_by_and_a_range_though_all_tie(browser: Browser, named: Path) -> None:
    opened = Opened(browser, named)
    for low, high in ((2.65, 2.75), (-0.02, 0.02), (0.5, 0.62), (-1.9, -1.86), (3.2, 3.21), (1.1, 4.4), (0.0, 1.0)):
        ticks = opened.page.evaluate("([low, high]) => lab.ticks(low, high)", [low, high])
        values, texts = ticks["tickvals"], ticks["ticktext"]
        assert 3 <= len(values) <= 12 and values == sorted(values), (low, high)
        assert all(10**low * (1 - 1e-9) <= value <= 10**high * (1 + 1e-9) for value in values)
        assert len(set(texts)) == len(texts), (low, high, texts)
        assert [float(text.replace(",", "")) for text in texts] == pytest.approx(values)
    opened.page.select_option("#decoders-score", "exact_match")
    low, high = opened.page.evaluate("document.getElementById('decoders-chart').layout.yaxis.range")
    assert high - low >= 1, "all have none: not a millionth above and below"
    opened.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_no_line_of_a_sweep_crosses_the_text_of_a_tick(browser: Browser, tmp_path: Path, width: int) -> None:
    comparison = compare(collect([write_sweep(tmp_path / "runs", count=6, seeds=(1,))]), samples=20)
    write_page(tmp_path / "page.html", comparison, limits=Limits(sentences=2, attention=0))
    opened = Opened(browser, tmp_path / "page.html", width=width)
    covered = opened.page.evaluate("""() => [...document.querySelectorAll('#sweep-chart .axis > text')]
      .filter((text) => !text.classList.contains('label')).map((text) => {
        const behind = text.previousElementSibling, inner = text.getBBox(), outer = behind.getBBox();
        const last = [...document.querySelectorAll('#sweep-chart .row')].at(-1);
        return behind.classList.contains('behind') && outer.x <= inner.x && outer.y <= inner.y
          && outer.x + outer.width >= inner.x + inner.width && outer.y + outer.height >= inner.y + inner.height
          && Boolean(last.compareDocumentPosition(behind) & Node.DOCUMENT_POSITION_FOLLOWING);
    })""")
    assert len(covered) > 5 and all(covered)
    opened.context.close()
