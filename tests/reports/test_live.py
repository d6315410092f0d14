"""The live page's view of a folder: what changed is read, and only that; records of anybody are survived."""

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.curves import curve, read_curves
from s2s_lab.reports.live import growing, watch
from s2s_lab.reports.live.answers import Answers
from s2s_lab.reports.live.files import leads_out, tail
from s2s_lab.reports.live.growing import GrowingCurves, GrowingLines
from s2s_lab.reports.live.row import read_settings, total_steps
from s2s_lab.reports.live.watch import Watch
from tests.reports.live_runs import go_on, start_run, write_ledger
from tests.reports.synthetic import HOSTILE, sentences, write_run


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REST", 0.0)


class Reader:
    """Follows a folder as the page does."""

    def __init__(self, root: Path) -> None:
        self.answers = Answers(Watch(root))
        self.version = ""
        self.rows: dict[str, dict] = {}
        self.counts: dict[str, dict] = {}

    def poll(self) -> dict:
        found = self.answers.runs(self.version)
        self.version = found["version"]
        names = {item["key"]: item["name"] for item in found["experiments"]}
        for key in found["gone"]:
            self.rows.pop(key, None)
        self.rows |= {row["key"]: row for row in found["runs"]}
        self.counts |= {names[item["key"]]: item["counts"] for item in found["experiments"]}
        return found

    def row(self, name: str) -> dict:
        (found,) = [row for row in self.rows.values() if row["name"] == name]
        return found


def appended(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def test_curves_read_as_they_grow_are_those_read_at_once(tmp_path: Path) -> None:
    """Cut at every byte, rows of another file in between: always what a reader of whole lines would see."""
    run = start_run(tmp_path, "gru", 1, steps=300)
    content, path = run.metrics_csv.read_bytes(), tmp_path / "growing.csv"
    curves = GrowingCurves(path, tmp_path)
    assert not curves.read() and curves.columns == {}
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        curves.read()
        whole = tmp_path / "whole.csv"
        whole.write_bytes(content[: content.rfind(b"\n", 0, end) + 1])
        expected = read_curves(whole)
        assert list(curves.columns) == list(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(np.asarray(curves.columns[name]), values)


def test_a_file_that_only_grew_is_read_from_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"line {number}\n" for number in range(2000)))
    lines = GrowingLines(path, tmp_path)
    assert len(lines.read()[1]) == 2000
    opened = []
    whole = growing.open_inside

    class Counting:
        def __init__(self, file) -> None:
            self.file, self.count = file, 0
            opened.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            self.file.close()

        def __getattr__(self, name: str):
            return getattr(self.file, name)

        def read(self, *words):
            found = self.file.read(*words)
            self.count += len(found)
            return found

    monkeypatch.setattr(growing, "open_inside", lambda *words: Counting(whole(*words)))
    appended(path, "one more\nand half of ano")
    assert lines.read() == (False, ["one more"])
    appended(path, "ther\n")
    assert lines.read() == (False, ["and half of another"])
    assert [item.count for item in opened] == [len("one more\nand half of ano"), len("and half of another\n")]


def test_a_file_written_anew_is_read_anew_even_where_it_is_longer(tmp_path: Path) -> None:
    run = start_run(tmp_path, "gru", 1, steps=400)
    curves = GrowingCurves(run.metrics_csv, tmp_path)
    curves.read()
    rows = run.metrics_csv.read_text().splitlines()
    run.metrics_csv.write_text("\n".join([rows[0] + ",new", *(row + ",7" for row in rows[1:]), ""]))
    assert curves.read()
    assert curves.last("new") == 7 and len(curves.columns["step"]) == len(rows) - 1
    run.metrics_csv.write_text(
        "\n".join([*rows[:3], ""])
    )  # a resumed training drops what it had written after its state
    assert curves.read()
    assert curves.last("step") == 100
    run.metrics_csv.unlink()
    assert curves.read() and curves.columns == {} and curves.last("step") is None


def test_points_are_those_of_the_curve_and_end_at_its_end(tmp_path: Path) -> None:
    run = start_run(tmp_path, "gru", 1, steps=5000)
    curves = GrowingCurves(run.metrics_csv, tmp_path)
    curves.read()
    steps, values = curve(read_curves(run.metrics_csv), "train/loss")
    assert curves.points("train/loss", "step", most=1000) == (steps.tolist(), values.tolist())
    for most in (2, 3, 10, 99):
        across, thinned = curves.points("train/loss", "step", most=most)
        assert 1 < len(across) <= most and (across[0], across[-1]) == (steps[0], steps[-1])
        assert set(zip(across, thinned, strict=True)) <= set(zip(steps.tolist(), values.tolist(), strict=True))


def test_cells_that_are_no_numbers_do_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(
        b'step,"a,b",c\n50,1,x\n\n,,\n100,"2",nan\n150\n200,inf,3,4,5\n\xff\xfe,\x00,1\n"unclosed\n250,5,6\n'
    )
    curves = GrowingCurves(path, tmp_path)
    curves.read()
    assert list(curves.columns) == ["step", "a,b", "c"]
    assert (curves.last("step"), curves.last("a,b"), curves.last("c")) == (250, 5, 6)
    assert curves.points("a,b", "step", most=10) == ([50, 100, 250], [1, 2, 5])
    assert math.isnan(curves.columns["c"][0])


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


def test_the_ledger_says_what_waits_and_what_a_killed_job_could_not(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    killed, runs = start_run(root, "gru", 1), start_run(root, "lstm", 2)
    events = [{"event": "planned", "job": name} for name in "abcd"]
    events += [{"event": "started", "job": "a", "folder": killed.path.name},
               {"event": "started", "job": "b", "folder": runs.path.name}]  # fmt: skip
    write_ledger(root, *events, {"event": "of a later version", "job": "c"}, {"event": "started"})
    appended(root / "ledger.jsonl", b'[1]\nnot JSON\n{"event": "planned", "job": 7}\n' + b"[" * 5000 + b"\n")
    reader = Reader(tmp_path)
    reader.poll()
    assert reader.counts["demo"] == {"running": 2, "waiting": 2}
    ended = {
        "event": "ended",
        "job": "a",
        "folder": killed.path.name,
        "status": "failed",
        "reason": "killed by signal 9",
    }
    write_ledger(root, ended)
    reader.poll()
    assert (reader.row("gru")["status"], reader.row("gru")["note"]) == ("failed", "killed by signal 9")
    assert reader.counts["demo"] == {"failed": 1, "running": 1, "waiting": 2}
    write_ledger(root, {"event": "started", "job": "a", "folder": killed.path.name})
    reader.poll()
    assert reader.row("gru")["status"] == "running"
    runs.finish("interrupted")
    write_ledger(
        root, {"event": "ended", "job": "b", "folder": runs.path.name, "status": "stopped", "reason": "pruned"}
    )
    reader.poll()
    assert (reader.row("lstm")["status"], reader.row("lstm")["note"]) == ("stopped", "pruned")


def test_without_a_plan_in_the_ledger_those_wait_that_come_after_the_last_one_that_runs(tmp_path: Path) -> None:
    for seed in (3, 4):
        start_run(tmp_path / "demo", "gru", seed, total=40)
    reader = Reader(tmp_path)
    reader.poll()
    assert reader.counts["demo"] == {"running": 2, "waiting": 36}


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


def test_hidden_folders_and_links_to_folders_are_not_entered(tmp_path: Path) -> None:
    root = tmp_path / "outputs"
    start_run(root / "demo", "gru", 1)
    start_run(root / ".cache", "hidden", 1)
    elsewhere = start_run(tmp_path / "elsewhere", "private", 1)
    (root / "link").symlink_to(elsewhere.path, target_is_directory=True)
    (root / "demo" / "linked").mkdir()
    (root / "demo" / "linked" / "run.json").symlink_to(elsewhere.run_file)
    reader = Reader(root)
    reader.poll()
    assert sorted(row["status"] for row in reader.rows.values()) == ["running", "unreadable"]
    assert "private" not in json.dumps(reader.rows)


def test_files_that_lead_out_are_not_read(tmp_path: Path) -> None:
    root, secret = tmp_path / "outputs", tmp_path / "secret.txt"
    secret.write_text("the secret\n")
    run = start_run(root / "demo", "gru", 1, steps=100)
    run.log_file.unlink()
    run.metrics_csv.unlink()
    for path in (run.log_file, run.error_file, run.metrics_csv):
        path.symlink_to(secret)
    run.finish("failed")
    evaluation = run.path / "evaluation" / "test"
    evaluation.mkdir(parents=True)
    other = write_run(tmp_path / "elsewhere", "gru_attention", 1, made=sentences(8), strategies=("greedy",))
    (evaluation / "greedy-1").symlink_to(other.evaluation_folders()[0], target_is_directory=True)
    reader = Reader(root)
    reader.poll()
    (key,) = reader.rows
    assert "secret" not in json.dumps(reader.rows)
    assert reader.answers.run(key)["evaluations"] == []
    for ask in (
        lambda: reader.answers.log(key, ""),
        lambda: reader.answers.text(key, "error"),
        lambda: reader.answers.attention(key, "test/greedy-1"),
        lambda: reader.answers.report(reader.rows[key]["experiment"]),
    ):
        with pytest.raises(RequestError):
            ask()
    assert leads_out(run.path, root) and not leads_out(other.path, tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    run = start_run(tmp_path / "demo", "gru", 1)
    os.mkfifo(run.metrics_csv)
    os.mkfifo(run.error_file)
    run.finish("failed")
    reader = Reader(tmp_path)
    reader.poll()
    assert (reader.row("gru")["status"], reader.row("gru")["note"], reader.row("gru")["step"]) == ("failed", "", None)


@pytest.mark.parametrize("width", range(1, 12))
def test_the_end_of_a_log_goes_on_where_it_ended_and_cuts_no_character(width: int, tmp_path: Path) -> None:
    content = "grün → 漢字 🙂\n".encode() * 3
    path = tmp_path / "log.txt"
    path.write_bytes(b"")
    text, place = "", 0
    for end in range(width, len(content) + width, width):
        path.write_bytes(content[:end])
        piece, begin, after = tail(path, tmp_path, most=1000, start=place)
        assert begin == place
        text, place = text + piece, after
    assert text == content.decode() and place == len(content)


def test_of_a_long_log_its_end_is_read_from_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {number}\n" for number in range(10_000)))
    text, begin, end = tail(path, tmp_path, most=1000)
    assert len(text) <= 1000 and text.startswith("line 9") and text.endswith("line 9999\n")
    assert (begin, end) == (path.stat().st_size - len(text), path.stat().st_size)
    assert tail(path, tmp_path, most=1000, start=0)[1:] == (begin, end), "too far back: the end again"
    assert tail(path, tmp_path, most=1000, start=end) == ("", end, end)
    path.write_text("anew\n")
    assert tail(path, tmp_path, most=1000, start=end) == ("anew\n", 0, 5)


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
    assert reader.answers.curves("", "", "step") == {"names": [], "name": "", "over": "step", "runs": {}}


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
