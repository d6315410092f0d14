"""s2s-compare and s2s-report: what they print, write and refuse."""

import io
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import s2s_lab.compare
import s2s_lab.evaluate
import s2s_lab.report
from s2s_lab.assemble.grid import Done
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.word_error_rate import WordErrorRate
from s2s_lab.records.evaluation import read_evaluation
from s2s_lab.reports import study_source
from s2s_lab.reports.numbers import unit_of
from tests.reports.synthetic import evaluate, sentences, study_view, write_run

MAINS = {"compare": s2s_lab.compare.main, "report": s2s_lab.report.main}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(name: str, *words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [f"s2s-{name}", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            MAINS[name]()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def test_compare_prints_rows_tests_differences_and_leftovers(run, runs: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run("compare", runs, "--samples", 50)
    assert (code, err) == (0, "")
    for text in ("gru_attention", "best", "▼", "95 % t-interval over 2 seeds", "Holm-corrected over all 15 pairs",
                 "1.30 M", "lstm is under-trained", "attention._target_: NoAttention (lstm, gru); AdditiveAttention",
                 "rnn seed 1: failed: ValueError: <b>loss</b> is NaN"):  # fmt: skip
        assert text in out, text


def test_compare_offers_randomization_and_says_so(run, runs: Path) -> None:
    code, out, _ = run("compare", runs, "--samples", 50, "--test", "randomization")
    out = " ".join(out.split())  # wherever the terminal breaks its lines
    assert code == 0 and "approximate randomization test of BLEU" in out and "50 shuffles" in out
    assert "50 resamples are too few for this number of tests (15): expected at least 1,000" in out
    assert run("compare", runs, "--test", "sign")[0] == 2


def test_rows_without_a_common_split_exit_2(run, tmp_path: Path) -> None:
    made = sentences(4)
    write_run(tmp_path, "gru", 1, made=made, strategies=("greedy",))
    evaluate(write_run(tmp_path, "lstm", 1, made=made, strategies=()), "greedy", made, 0.5, 1, split="validation")
    code, out, err = run("compare", tmp_path)
    assert (code, out) == (2, "")
    assert "different splits (gru on test, lstm on validation)" in err and err.count("\n") == 1


def test_compare_cuts_nothing_off_in_a_narrow_terminal(run, runs: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    _, out, _ = run("compare", runs, "--samples", 50)
    assert "…" not in out
    for text in ("Exact match % ↑", "sentences/s", "gru_attention"):
        assert text in " ".join(out.split()), text


def test_json_holds_the_same_facts(run, runs: Path, tmp_path: Path) -> None:
    run("compare", runs, "--json", tmp_path / "facts.json", "--samples", 50)
    facts = json.loads((tmp_path / "facts.json").read_text())
    (split,) = facts["splits"]
    assert split["monitor"] == "bleu"
    assert split["entries"][0]["best"] and split["entries"][0]["versus_best"] is None
    first = split["entries"][0]["scores"]["bleu"]
    assert first["low"] <= first["mean"] <= first["high"] and len(first["values"]) == 2
    assert split["entries"][5]["versus_best"]["p_holm"] <= 1
    assert split["entries"][5]["versus_best"]["hedges_g"]["g"] < 0
    assert (split["test"], split["tests"], split["entries"][0]["letters"][0]) == ("bootstrap", 15, "a")
    assert [item["reason"] for item in facts["leftovers"]][1] == "interrupted"
    assert len(facts["rows"]) == 3


def test_the_line_of_an_evaluation_has_the_units_of_the_tables(tmp_path: Path) -> None:
    made, metrics = sentences(8), [BLEU(), ExactMatch(), WordErrorRate()]
    run = write_run(tmp_path, "gru", 1, made=made, strategies=())
    folder = evaluate(run, "greedy", made, 0.5, 1, metrics=metrics)
    facts = read_evaluation(folder).facts
    console = Console(file=io.StringIO(), width=400)
    s2s_lab.evaluate._print(Done(run, None, folder, facts, anew=True), "gru seed 1", console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    for score in facts["scores"]:
        unit = unit_of(score["signature"])
        (value, suffix) = re.search(rf"{score['name']} ([\d.,]+)( %)?", said).groups()  # type: ignore[union-attr]
        assert (suffix or "") == unit.suffix
        assert float(value.replace(",", "")) == pytest.approx(score["value"] * unit.factor, abs=0.006)


def test_report_writes_the_page_and_says_where(run, runs: Path, tmp_path: Path) -> None:
    code, out, err = run("report", runs, "-o", tmp_path / "page.html", "--title", "A <title>", "--samples", 50)
    assert (code, err) == (0, "")
    assert out.startswith(f"report {tmp_path / 'page.html'} (")
    assert "<h1>A &lt;title&gt;</h1>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_page_too_offers_randomization_and_says_so(run, runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for test, shown in (("randomization", "approximate randomization test"), ("bootstrap", "paired bootstrap")):
        assert run("report", runs, "-o", page, "--samples", 50, "--test", test)[0] == 0
        assert f"two-sided {shown} of BLEU" in " ".join(page.read_text(encoding="utf-8").split())


def test_a_study_is_shown_alone_or_above_its_runs(run, runs: Path, tmp_path: Path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(study_source, "read_study_view", lambda place: asked.append(str(place)) or study_view())
    folder = tmp_path / "experiments" / "paper"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text("title: x\n")
    page = tmp_path / "page.html"
    for words, has_runs in (([folder], False), ([folder / "study.yaml"], False),
                            ([runs, "--study", folder / "study.yaml", "--samples", 50], True)):  # fmt: skip
        assert run("report", *words, "-o", page)[0] == 0
        text = page.read_text(encoding="utf-8")
        assert 'id="claims"' in text and ('id="results"' in text) == has_runs
    assert asked == [str(folder), *[str(folder / "study.yaml")] * 2]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(runs, tmp_path / "outputs" / "studies" / "paper")
    code, out, _ = run("report", folder, "-o", page, "--samples", 50)
    assert code == 0 and out.startswith("with the runs of outputs/studies/paper\n")
    assert 'id="claims"' in (text := page.read_text(encoding="utf-8")) and 'id="results"' in text
    code, _, err = run("report", folder, "--study", folder / "study.yaml", "-o", page)
    assert code == 2 and "several studies" in err and err.count("\n") == 1


def test_wrong_requests_are_one_line_and_exit_2(run, runs: Path, tmp_path: Path) -> None:
    for name in MAINS:
        code, out, err = run(name, tmp_path / "nowhere")
        assert (code, out) == (2, "")
        assert err.startswith(f"s2s-{name}: ") and "no such folder" in err and err.count("\n") == 1
    assert run("report", runs, "-o", tmp_path / "no" / "page.html")[0] == 2
    assert run("report", runs, "-o", tmp_path / "page.html", "--sentences", -1)[0] == 2
    assert run("compare", runs, "--samples", 0)[0] == 2
    assert run("compare")[0] == 2


def test_scores_that_cannot_be_compared_exit_2(run, tmp_path: Path) -> None:
    made = sentences(4)
    write_run(tmp_path, "gru", 1, made=made, strategies=("greedy",))
    evaluate(write_run(tmp_path, "lstm", 1, made=made, strategies=()), "greedy", made, 0.5, 1, metrics=[BLEU()])
    code, _, err = run("compare", tmp_path)
    assert code == 2
    assert "different signatures (case:lc and case:mixed)" in err


def test_a_file_that_cannot_be_written_exits_1(run, runs: Path, tmp_path: Path) -> None:
    code, _, err = run("compare", runs, "--samples", 50, "--json", tmp_path / ("x" * 300))
    assert code == 1
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["no/facts.json", "."])
def test_a_place_for_no_file_is_refused_before_any_work(name: str, run, runs: Path, tmp_path: Path) -> None:
    code, out, err = run("compare", runs, "--json", tmp_path / name)
    assert (code, out, err.count("\n")) == (2, "", 1) and str(tmp_path / name) in err


@pytest.mark.parametrize("name", sorted(MAINS))
def test_help_imports_nothing_heavy(name: str) -> None:
    code = (
        f"import sys; sys.argv = ['x', '--help']\nimport s2s_lab.{name} as command\n"
        "try:\n    command.main()\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'rich', 'jinja2', 'yaml', 'torch', 'scipy'} & set(sys.modules)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage: s2s-" in done.stdout
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", MAINS)
def test_an_interrupt_is_one_line_and_exits_130(run, runs: Path, tmp_path: Path, name: str, monkeypatch) -> None:
    def interrupted(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("s2s_lab.reports.comparison.compare", interrupted)
    words = ["-o", tmp_path / "page.html"] if name == "report" else []
    assert run(name, runs, *words) == (130, "", f"s2s-{name}: interrupted\n")
