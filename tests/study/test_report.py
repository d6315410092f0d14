"""What a report writes: from run folders or from results.json alone the same, and nothing that is not known."""

import json
import shutil
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.study_file import read_study
from s2s_lab.reports.study_measured import verdicts
from s2s_lab.study import _tell_once, main
from tests.study.conftest import STUDY, compose, write_run, write_scores, write_study


def study(monkeypatch: pytest.MonkeyPatch, place: Path, *words: str, code: int = 0) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr("sys.argv", ["s2s-study", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def copy(finished: tuple[Path, list], tmp_path: Path) -> Path:
    """The place with its run folders, to write into."""
    place = tmp_path / "copy"
    shutil.copytree(finished[0], place)
    return place


def test_a_clone_without_run_folders_reports_the_same_bytes(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(monkeypatch, copy, "report", "experiments/toy")
    first, overview = files(copy / "experiments/toy"), (copy / "experiments/README.md").read_bytes()
    assert {"results.json", "README.md", "scores.png", "trends.png", "seeds.png"} <= set(first)
    study(monkeypatch, copy, "report", "experiments/toy/study.yaml")
    assert files(copy / "experiments/toy") == first
    shutil.rmtree(copy / "outputs")
    study(monkeypatch, copy, "report", "experiments/toy")
    assert files(copy / "experiments/toy") == first
    assert (copy / "experiments/README.md").read_bytes() == overview


def test_the_page_says_what_is_known_and_what_is_open(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "experiments/toy/notes.md").write_text("By hand.\n")
    study(monkeypatch, copy, "report", "experiments/toy")
    page = (copy / "experiments/toy/README.md").read_text()
    assert page.startswith("# Reversing letters\n")
    claims = {line.split(" | ")[0]: line for line in page.splitlines() if line.startswith("| ")}
    assert "✔ reproduced" in claims["| it is \\| solved"]
    assert "○ open" in claims["| new"] and "50.5" in claims["| new"]
    assert "| `plain[cell=lstm]` no attention | 2 of 3 |" in page
    assert "7 of 8 trainings done" in page and "`later` needs the option model=nothing\\_yet" in page
    assert "By hand." in page and "Example 9000" in page and "exact_match|nrefs:1" in page
    assert "s2s-study run experiments/toy" in page
    overview = (copy / "experiments/README.md").read_text()
    assert "**1 study, 7 trainings, 4 claims: " in overview and " 1 open.**" in overview


def test_a_row_that_needs_something_has_no_numbers_although_its_words_can_be_composed(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy / "experiments/toy/study.yaml"
    text = path.read_text().replace(
        "  later:\n", "  alike:\n    set: {model: gru_attention}\n    needs: more\n  later:\n"
    )
    claim = "  alike: {kind: value, row: alike, score: token_accuracy, published: 1, tolerance: 1, says: of alike}\n"
    path.write_text(text + claim)
    study(monkeypatch, copy, "report", "experiments/toy")
    page = (copy / "experiments/toy/README.md").read_text()
    assert "○ open" in next(line for line in page.splitlines() if line.startswith("| of alike"))
    assert not [line for line in page.splitlines() if line.startswith("| `alike`")]
    assert "alike" not in {entry["row"] for entry in json.loads((path.parent / "results.json").read_text())["jobs"]}


def test_each_value_is_that_of_its_run(copy: Path, finished: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    study(monkeypatch, copy, "report", "experiments/toy")
    results = json.loads((copy / "experiments/toy/results.json").read_text())
    hashes = {job.hash: (each.row.name, seed) for each in finished[1] for seed, job in each.jobs.items()}
    assert len(results["jobs"]) == 7
    for entry in results["jobs"]:
        assert hashes[entry["hash"]] == (entry["row"], entry["seed"])
        run = next(f for f in (copy / "outputs/studies/toy").iterdir() if f.name.endswith(entry["hash"]))
        for name, evaluation in entry["evaluations"].items():
            facts = json.loads((run / f"evaluation/test/{name}-0123/scores.json").read_text())
            assert evaluation["scores"] == facts["scores"]
        assert entry["seconds"] == 60 + entry["seed"] and entry["commit"] == "0" * 40


def test_a_training_that_another_study_has_measured_counts_and_is_told(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study(monkeypatch, copy, "report", "experiments/toy")
    text = STUDY
    for old, new in (("  plain:", "  bare:"), ("plain[cell=gru]", "bare[cell=elman]"), ("plain[", "bare["),
                     ("row: plain", "row: bare"), ("cell: [gru, lstm]", "cell: [lstm, elman]")):  # fmt: skip
        text = text.replace(old, new)
    write_study(copy, text, "twin")
    study(monkeypatch, copy, "run", "experiments/twin", "--dry", "--seed", "1")
    started = [line for line in capsys.readouterr().out.splitlines() if line.startswith("to do")]
    assert len(started) == 1 and "bare[cell=elman] seed 1" in started[0]
    for _ in range(2):  # what is borrowed is recorded, and not lent back
        study(monkeypatch, copy, "report", "experiments/twin")
        study(monkeypatch, copy, "report", "experiments/toy")
    entries = {
        name: json.loads((copy / f"experiments/{name}/results.json").read_text())["jobs"] for name in ("toy", "twin")
    }
    lent = {entry["hash"]: entry for entry in entries["toy"]}
    same = ("commit", "seconds", "started", "evaluations")
    assert sorted((e["row"], e["seed"]) for e in entries["twin"]) == [
        ("attention", 1), ("attention", 2), ("bare[cell=lstm]", 1), ("bare[cell=lstm]", 2),
    ]  # fmt: skip
    for entry in entries["twin"]:
        assert entry["measured_in"] == "toy" and all(entry[key] == lent[entry["hash"]][key] for key in same)
    assert not any("measured_in" in entry for entry in entries["toy"])
    page = (copy / "experiments/twin/README.md").read_text()
    assert (
        "4 of 8 trainings done, 1 row waits" in page
        and "another study" in page
        and "[toy](../toy/README.md) (4)" in page
    )
    assert "**2 studies, 7 trainings, " in (copy / "experiments/README.md").read_text()
    shutil.rmtree(copy / "experiments/toy")
    study(monkeypatch, copy, "report", "experiments/twin")
    assert json.loads((copy / "experiments/twin/results.json").read_text())["jobs"] == entries["twin"]


def test_damaged_results_of_another_study_are_told_in_one_line(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (write_study(copy, name="twin") / "results.json").write_text("[]")
    study(monkeypatch, copy, "report", "experiments/toy", code=2)
    assert capsys.readouterr().err.count("\n") == 1


def test_hand_written_parts_of_the_overview_are_kept(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overview = copy / "experiments/README.md"
    study(monkeypatch, copy, "report", "experiments/toy")
    made = overview.read_text()
    overview.write_text(f"# Mine\n\nbefore\n\n{made.split(chr(10), 2)[2]}\nafter\n")
    study(monkeypatch, copy, "report", "experiments/toy")
    kept = overview.read_text()
    assert kept.startswith("# Mine\n\nbefore\n\n<!-- studies") and kept.endswith("\nafter\n")
    overview.write_text("# Mine\n\nno marks\n")
    study(monkeypatch, copy, "report", "experiments/toy")
    assert overview.read_text().startswith("# Mine\n\nno marks\n\n<!-- studies")


def test_a_page_written_by_hand_is_not_replaced(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = copy / "experiments/toy/README.md"
    page.write_text("# By hand\n")
    study(monkeypatch, copy, "report", "experiments/toy", code=2)
    assert page.read_text() == "# By hand\n" and not (copy / "experiments/toy/results.json").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_results_of_another_definition_are_former_and_come_back(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, results = copy / "experiments/toy/study.yaml", copy / "experiments/toy/results.json"
    study(monkeypatch, copy, "report", "experiments/toy")
    shutil.rmtree(copy / "outputs")
    before = results.read_bytes()
    file.write_text(STUDY.replace("trainer.max_steps: 4", "trainer.max_steps: 6"))
    study(monkeypatch, copy, "report", "experiments/toy")
    changed = json.loads(results.read_text())
    assert changed["jobs"] == [] and len(changed["former"]) == 7
    assert "Nothing has been measured yet." in (copy / "experiments/toy/README.md").read_text()
    assert not (copy / "experiments/toy/scores.png").exists()
    file.write_text(STUDY)
    study(monkeypatch, copy, "report", "experiments/toy")
    assert results.read_bytes() == before
    file.write_text(STUDY.replace("trainer.max_steps: 4", "trainer.max_steps: 6"))
    study(monkeypatch, copy, "report", "experiments/toy", "--drop")
    assert json.loads(results.read_text())["former"] == []


def test_seeds_scored_on_different_data_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    composed = compose(read_study(write_study(tmp_path)), tmp_path / "outputs")
    attention = next(each for each in composed if each.row.name == "attention")
    write_run(attention, 1)
    write_scores(write_run(attention, 2), attention, "greedy", 2, fingerprint="beef")
    study(monkeypatch, tmp_path, "report", "experiments/toy", code=2)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "attention: seeds 1 and 2 were evaluated (greedy) with different data (feed and beef)" in told


def test_what_was_measured_is_on_record_although_it_cannot_be_judged(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise RequestError("claim cells: nothing alike")

    monkeypatch.setattr("s2s_lab.reports.study_report.verdicts", refused)
    study(monkeypatch, copy, "report", "experiments/toy", code=2)
    assert "nothing alike" in capsys.readouterr().err
    assert len(json.loads((copy / "experiments/toy/results.json").read_text())["jobs"]) == 7


def test_a_claim_on_seeds_of_which_one_diverged_stays_open(
    copy: Path, finished: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(monkeypatch, copy, "report", "experiments/toy")
    path = copy / "experiments/toy/results.json"
    loaded = read_study(copy / "experiments/toy")
    results = json.loads(path.read_text())
    claim = next(claim for claim in results["claims"] if claim["kind"] == "value" and claim["verdict"] != "open")
    row, score = (loaded.claims[claim["claim"]][key] for key in ("row", "score"))
    lost = next(entry for entry in results["jobs"] if entry["row"] == row)
    for evaluation in lost["evaluations"].values():
        for found in evaluation["scores"]:
            found["value"] = None if found["name"] == score else found["value"]
    judged = {each["claim"]: each for each in verdicts(loaded, results["jobs"])}[claim["claim"]]
    assert (judged["verdict"], judged["ours"]) == ("open", "")
    assert judged["reason"] == f"no finite {score} of {row} with seed {lost['seed']}"


def test_a_damaged_results_file_is_told_in_one_line(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study(monkeypatch, copy, "report", "experiments/toy")
    capsys.readouterr()
    results = copy / "experiments/toy/results.json"
    for text in ("", "{", "[]", '{"schema": 99}', '{"schema": 1, "study": "other", "jobs": []}',
                 '{"schema": 1, "study": "toy", "jobs": [{"hash": 3}]}'):  # fmt: skip
        results.write_text(text)
        study(monkeypatch, copy, "plan", "experiments/toy", code=2)
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and "results.json" in told
        assert results.read_text() == text


def test_a_run_whose_record_is_damaged_is_told_and_left_out(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study(monkeypatch, copy, "report", "experiments/toy")
    before = (copy / "experiments/toy/results.json").read_bytes()
    damaged = next(iter(sorted((copy / "outputs/studies/toy").glob("*/run.json"))))
    damaged.write_text(damaged.read_text()[:100])
    _tell_once.cache_clear()
    capsys.readouterr()
    for command in ("plan", "report"):
        study(monkeypatch, copy, command, "experiments/toy")
    told = [line for line in capsys.readouterr().err.splitlines() if str(damaged) in line]
    assert len(told) == 1 and told[0].endswith("the run is left out")
    assert (copy / "experiments/toy/results.json").read_bytes() == before, "what was reported before stays"


def test_what_is_not_a_study_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"study\.yaml: no such file"):
        read_study(tmp_path / "study.yaml")
