"""Which files of a folder the live page reads, and how the end of a log."""

import json
import os
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.reports.live import watch
from s2s_lab.reports.live.files import leads_out, tail
from tests.reports.live_runs import Reader, start_run
from tests.reports.synthetic import sentences, write_run


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REST", 0.0)


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
