"""The live page's view of a folder: what changed is read, and only that; records of anybody are survived."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.curves import curve, read_curves
from s2s_lab.records.search_record import write_search
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.decoders import decoder_tables
from s2s_lab.reports.live import watch
from s2s_lab.reports.live.answers import Answers
from s2s_lab.reports.live.row import read_settings, total_steps
from s2s_lab.reports.live.watch import Watch
from s2s_lab.reports.runs import collect
from tests.reports.live_runs import Reader, appended, go_on, start_run
from tests.reports.synthetic import HOSTILE, evaluate, sentences, write_run


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REST", 0.0)


def test_a_row_follows_its_job(tmp_path: Path) -> None:
    run = start_run(tmp_path / "demo", "gru", 1, steps=150)
    reader = Reader(tmp_path)
    reader.poll()
    row = reader.row("gru")
    assert (row["status"], row["step"], row["total"], row["seed"]) == ("running", 150, 1000, "1")
    assert row["score"] == "bleu" and row["best"] == pytest.approx(row["value"], abs=1e-4) and row["rate"] == 20_150
    assert reader.counts["demo"] == {"running": 1}
    go_on(run, 150, 400)
    reader.poll()
    assert reader.row("gru")["step"] == 400 and reader.row("gru")["best_step"] == 400
    best = reader.row("gru")["best"]
    go_on(run, 400, 500, score=1.0)
    reader.poll()
    run.update({"best": {"metric": "validation/bleu", "value": best, "step": 400}})
    reader.poll()
    assert (reader.row("gru")["best"], reader.row("gru")["value"]) == (pytest.approx(best), 1.0)
    run.finish("finished", {"steps": 900, "tokens_per_second": 123.0})
    reader.poll()
    row = reader.row("gru")
    assert (row["status"], row["step"], row["total"], row["rate"]) == ("finished", 900, 900, 123)
    assert reader.counts["demo"] == {"finished": 1}


def test_a_reader_learns_only_what_changed(tmp_path: Path) -> None:
    runs = [start_run(tmp_path / "demo", model, 1, steps=100) for model in ("gru", "lstm", "rnn")]
    reader = Reader(tmp_path)
    first = reader.poll()
    assert first["whole"] and len(first["runs"]) == 3
    again = reader.poll()
    assert (again["runs"], again["experiments"], again["gone"], again["whole"]) == ([], [], [], False)
    assert again["version"] == first["version"]
    go_on(runs[1], 100, 200)
    changed = reader.poll()
    assert [row["name"] for row in changed["runs"]] == ["lstm"] and changed["experiments"] == []
    key = reader.row("rnn")["key"]
    shutil.rmtree(runs[2].path)
    gone = reader.poll()
    assert gone["gone"] == [key] and gone["runs"] == [] and gone["experiments"][0]["counts"] == {"running": 2}
    start_run(tmp_path / "other", "gru", 1)
    assert [row["name"] for row in reader.poll()["runs"]] == ["gru"]
    assert len(Reader(tmp_path).poll()["runs"]) == 3
    stranger = reader.answers.runs("deadbeef-99")
    assert stranger["whole"] and len(stranger["runs"]) == 3, "a page of a server that was restarted gets everything"


def test_files_that_did_not_change_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [start_run(tmp_path / "demo", "gru", seed, steps=100) for seed in range(1, 6)]
    reader = Reader(tmp_path)
    reader.poll()
    opened: list[str] = []
    whole = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *words, **more: (opened.append(str(path)), whole(path, *words, **more))[1]
    )
    reader.poll()
    assert [path for path in opened if path.startswith(str(tmp_path)) and not Path(path).is_dir()] == []
    appended(runs[2].metrics_csv, "0,150,9,1,1,,\n")
    reader.poll()
    assert {path for path in opened if not Path(path).is_dir()} == {str(runs[2].metrics_csv)}


def test_many_runs_come_in_several_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(1, 8):
        start_run(tmp_path / "demo", "gru", seed, steps=50)
    clock = iter(range(10**6))
    monkeypatch.setattr(watch.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(watch, "PATIENCE", 4.0)
    reader = Reader(tmp_path)
    seen = []
    while not seen or seen[-1]["unread"]:
        seen.append(reader.poll())
        assert sum(reader.counts["demo"].values()) == len(reader.rows) == 7 - seen[-1]["unread"]
        reader.answers.curves(",".join(run.key for run in reader.answers.watch._runs.values()), "", "step")
    assert len(seen) > 1 and sorted(row["seed"] for row in reader.rows.values()) == list("1234567")
    assert reader.poll()["runs"] == []


def test_a_failure_is_told_with_the_last_line_of_its_error(tmp_path: Path) -> None:
    run = start_run(tmp_path / "demo", "gru", 1, steps=100)
    reader = Reader(tmp_path)
    reader.poll()
    run.error_file.write_text(f"Traceback\n{'x' * 20_000}\nValueError: {HOSTILE}\n\n")
    run.finish("failed")
    reader.poll()
    row = reader.row("gru")
    assert (row["status"], row["note"]) == ("failed", f"ValueError: {HOSTILE}")


def test_runs_that_were_scored_on_different_data_have_a_report(tmp_path: Path) -> None:
    for number, model in enumerate(("gru", "lstm")):
        run = write_run(tmp_path / "sweep", model, 1, made=sentences(4), strategies=())
        evaluate(run, "greedy", sentences(4 + number), 0.6, 1, fingerprint=f"{number}" * 16)
    reader = Reader(tmp_path)
    reader.poll()
    page = reader.answers.report(next(iter(reader.rows.values()))["experiment"])
    assert all(f"test (data {str(number) * 8})" in page for number in range(2))


def test_the_report_of_an_experiment_is_the_whole_one_with_the_table_of_decoders(tmp_path: Path) -> None:
    made = sentences(6)
    for seed in (1, 2):
        write_run(tmp_path / "sweep", "gru", seed, made=made, strategies=("greedy", "beam"))
    reader = Reader(tmp_path)
    reader.poll()
    page = reader.answers.report(next(iter(reader.rows.values()))["experiment"])
    comparison = compare(collect([tmp_path / "sweep"]))
    assert decoder_tables(comparison) and 'id="decoders-score"' in page


def test_a_search_that_is_not_in_the_folder_shown_is_not_on_its_page(tmp_path: Path) -> None:
    shown, elsewhere = tmp_path / "shown", tmp_path / "elsewhere"
    run = write_run(shown, "gru", 1, made=sentences(4))
    trial = {"number": 0, "outcome": "finished", "values": [1.0], "params": {}, "words": ["told=here"]}
    facts = {"trials": [{**trial, "validations": []}], "best": [0], "importance": {}, "definition": {}, "command": ""}
    facts["objectives"] = [{"name": "bleu", "higher_is_better": True}]
    for folder in (shown, elsewhere):
        folder.mkdir(exist_ok=True)
        write_search(folder, facts)

    def page(root: Path) -> str:
        answers = Answers(Watch(root))
        return answers.report(answers.runs("")["runs"][0]["experiment"])

    assert "told=here" in page(shown)
    assert "told=here" not in page(run.path), "the folder above it is not shown"
    (shown / "search.json").unlink()
    (shown / "search.json").symlink_to(elsewhere / "search.json")
    assert "told=here" not in page(shown), "a link leads out"


@pytest.mark.parametrize(
    ("trainer", "facts", "expected"),
    [
        ({"max_steps": 500, "max_epochs": None}, {}, 500),
        ({"max_steps": -1, "max_epochs": 10}, {}, None),
        ({"max_steps": -1, "max_epochs": 10}, {"total_steps": 320}, 320),
        ({"max_steps": -1, "max_epochs": 10}, {"steps": 40, "epochs": 2.0}, 200),
        ({"max_steps": 150, "max_epochs": 10}, {"steps": 40, "epochs": 2.0}, 150),
        ({"max_steps": 500, "max_epochs": 10}, {"steps": 40, "epochs": 2.0}, 200),
        ({"max_steps": "many", "max_epochs": [1]}, {"epochs": "two"}, None),
        ({}, {}, None),
    ],
)
def test_the_whole_is_the_smaller_of_steps_and_epochs(trainer: dict, facts: dict, expected: float | None) -> None:
    assert total_steps(facts, {"trainer": trainer}) == expected


def test_the_sections_read_are_those_of_the_whole_configuration(tmp_path: Path) -> None:
    run = start_run(tmp_path, "gru", 1, total=7)
    whole = {**run.configuration(), "trainer": {"max_steps": 5, "note": "two\nlines: 1\n\ntrainer: 3\n"}, "last": None}
    run.write_configuration(whole)
    found = read_settings(run, tmp_path)
    assert found == {name: whole[name] for name in ("trainer", "metrics", "job")}
    run.configuration_file.write_text("job: [unclosed\ntrainer: {max_steps: 9}\nmetrics: &a {monitor: *a}\n")
    assert read_settings(run, tmp_path) == {"trainer": {"max_steps": 9}}


RECORDS: dict[str, bytes] = {
    "cut": b'{"schema": 1, "status": "runn',
    "empty": b"",
    "list": b"[1, 2]",
    "deep": b"[" * 100_000,
    "bytes": b"\xff\xfe\x00",
    "nan": b'{"status": "running", "seed": NaN}',
    "huge": b'{"status": "running", "steps": 1e400}',
    "large": b" " * (5 * 2**20),
    "status": b'{"status": ["running"]}',
    "types": json.dumps(
        {"status": "finished", "name": {"a": 1}, "seed": [1], "steps": "9", "best": [1], "seconds": True, "command": 7,
         "git": 1, "machine": "x", "versions": None, "data": [], "under_trained": "yes", "started": 5, "epochs": {}}
    ).encode(),
    "best": b'{"status": "running", "best": {"metric": ["x"], "value": "high", "step": {}}}',
    "surrogate": b'{"status": "failed", "name": "\\ud800<img>", "seed": "\\udfff"}',
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_anybody_is_shown_and_hides_no_other(name: str, tmp_path: Path) -> None:
    start_run(tmp_path / "demo", "sound", 1, steps=100)
    odd = tmp_path / "demo" / "odd"
    odd.mkdir()
    (odd / "run.json").write_bytes(RECORDS[name])
    (odd / "config.yaml").write_text("a: &a [*a]\ntrainer: {max_steps: .nan}\n")
    reader = Reader(tmp_path)
    found = json.loads(json.dumps(reader.poll(), allow_nan=False))
    assert {row["status"] for row in found["runs"]} <= {"running", "finished", "failed", "unreadable"}
    assert len(found["runs"]) == 2 and reader.row("sound")["step"] == 100
    for row in found["runs"]:
        assert all(value is None or isinstance(value, str | int | float) for value in row.values())
        json.dumps(reader.answers.run(row["key"]), allow_nan=False)
        reader.answers.curves(row["key"], "", "step")


def test_a_record_that_is_mended_is_read_again(tmp_path: Path) -> None:
    run = start_run(tmp_path / "demo", "gru", 1, steps=100)
    sound = run.run_file.read_bytes()
    run.run_file.write_bytes(sound[:40])
    reader = Reader(tmp_path)
    reader.poll()
    assert [row["status"] for row in reader.rows.values()] == ["unreadable"]
    run.run_file.write_bytes(sound)
    reader.poll()
    assert [row["status"] for row in reader.rows.values()] == ["running"]


def test_a_run_that_vanishes_while_it_is_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_run(tmp_path / "demo", "gru", 1, steps=100)
    lost = start_run(tmp_path / "demo", "lstm", 1, steps=100)
    whole = watch.run_folders

    def vanishing(root: Path):
        yield from list(whole(root))
        shutil.rmtree(lost.path, ignore_errors=True)

    monkeypatch.setattr(watch, "run_folders", vanishing)
    reader = Reader(tmp_path)
    reader.poll()
    reader.poll()
    assert [row["name"] for row in reader.rows.values()] == ["gru"]


def test_curves_of_chosen_runs(tmp_path: Path) -> None:
    run = start_run(tmp_path / "demo", "gru", 1, steps=300)
    start_run(tmp_path / "demo", "lstm", 1)
    reader = Reader(tmp_path)
    reader.poll()
    key, other = reader.row("gru")["key"], reader.row("lstm")["key"]
    found = reader.answers.curves(f"{key},{other},nothing", "", "step")
    assert found["names"][0] == found["name"] == "validation/bleu"
    steps, values = curve(read_curves(run.metrics_csv), "validation/bleu")
    assert found["runs"] == {key: {"x": steps.tolist(), "y": values.tolist()}}
    seconds = reader.answers.curves(key, "train/loss", "seconds")["runs"][key]["x"]
    assert seconds == curve(read_curves(run.metrics_csv), "train/loss", over="seconds")[0].tolist()
    go_on(run, 300, 400)
    assert reader.answers.curves(key, "validation/bleu", "step")["runs"][key]["x"][-1] == 400
    assert reader.answers.curves("", "", "step") == {"names": [], "name": "", "suffix": "", "over": "step", "runs": {}}


def test_a_share_has_the_unit_of_the_list_in_its_curve_too(tmp_path: Path) -> None:
    run = start_run(tmp_path / "sweep", "gru", 1, steps=300)
    run.metrics_csv.write_text(run.metrics_csv.read_text().replace("validation/bleu", "validation/exact_match"))
    run.update({"best": {"metric": "validation/exact_match", "value": 0.25, "step": 300}})
    reader = Reader(tmp_path)
    (key,) = (row["key"] for row in reader.poll()["runs"])
    assert reader.rows[key]["percent"]
    found = reader.answers.curves(key, "validation/exact_match", "step")
    _, values = curve(read_curves(run.metrics_csv), "validation/exact_match")
    assert found["suffix"] == " %"
    assert found["runs"][key]["y"] == pytest.approx([100 * value for value in values])
    assert reader.answers.curves(key, "train/loss", "step")["suffix"] == ""


def test_a_run_is_told_with_its_evaluations_and_attention(tmp_path: Path) -> None:
    run = write_run(tmp_path / "demo", "gru_attention", 1, made=sentences(8), under_trained=True)
    broken = run.path / "evaluation" / "test" / "broken-1"
    broken.mkdir()
    (broken / "scores.json").write_text('{"schema": 1}')
    pictures = run.path / "wandb" / "offline-run-1" / "files" / "media" / "images"
    pictures.mkdir(parents=True)
    (pictures / "attention_3_a.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (pictures / "attention_4_b.png").write_text("<svg onload=alert(1)>")
    reader = Reader(tmp_path)
    reader.poll()
    (key,) = reader.rows
    told = reader.answers.run(key)
    assert [item["strategy"] for item in told["evaluations"]] == ["beam", "greedy"]
    assert told["evaluations"][0]["attention"] and told["under_trained"] and told["files"] == ["config"]
    exact = next(score for score in told["evaluations"][0]["scores"] if score["name"] == "exact_match")
    assert exact["suffix"] == " %" and 0 <= exact["value"] <= 100
    shown = reader.answers.attention(key, told["evaluations"][0]["id"])["sentences"]
    for sentence in shown:
        weights = np.asarray(sentence["weights"])
        assert weights.shape == (len(sentence["target"]), len(sentence["source"]))
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=0.01)
    assert set(told["pictures"]) == {"attention_3_a.png", "attention_4_b.png"}
    assert reader.answers.picture(key, "attention_3_a.png").endswith(b"rest")
    for name in ("attention_4_b.png", "../../../../config.yaml", "", "attention_5_c.png"):
        with pytest.raises(RequestError):
            reader.answers.picture(key, name)
    for name in ("../test/broken-1", "/etc", "", "test"):
        with pytest.raises(RequestError):
            reader.answers.attention(key, name)
    with pytest.raises(RequestError):
        reader.answers.text(key, "../run.json")


def test_a_run_folder_alone_is_shown(tmp_path: Path) -> None:
    run = start_run(tmp_path / "demo", "gru", 1, steps=100)
    reader = Reader(run.path)
    reader.poll()
    assert reader.row("gru")["step"] == 100
    with pytest.raises(RequestError, match="no such folder"):
        Watch(tmp_path / "nowhere")
