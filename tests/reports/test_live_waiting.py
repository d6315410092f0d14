"""What the live page says of jobs that have not begun: by the ledger's plan, or by what runs."""

from pathlib import Path

import pytest

from s2s_lab.reports.live import watch
from s2s_lab.sweeps.ledger import Ledger
from tests.reports.live_runs import Reader, appended, start_run, write_ledger


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REST", 0.0)


def test_after_a_resumption_those_wait_that_are_left(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    first, *others = (start_run(root, "gru", seed, total=5) for seed in range(1, 5))
    for run in others:
        run.finish("finished")
    with Ledger(root).held() as ledger:
        ledger.planned(["again", "new"])
        ledger.started(job="again", label="gru", folder=first.path, resume=True)
    reader = Reader(tmp_path)
    reader.poll()
    assert reader.counts["demo"] == {"finished": 3, "running": 1, "waiting": 1}
    first.finish("interrupted")
    reader.poll()
    assert reader.counts["demo"] == {"finished": 3, "interrupted": 1}, "nothing runs, so nothing waits for it"


def test_the_ledger_says_what_waits_and_what_a_killed_job_could_not(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    killed, runs = start_run(root, "gru", 1), start_run(root, "lstm", 2)
    with Ledger(root).held() as ledger:
        ledger.planned(["a", "b", "c", "d"])
        ledger.started(job="a", label="a", folder=killed.path, resume=False)
        ledger.started(job="b", label="b", folder=runs.path, resume=False)
    write_ledger(root, {"event": "of a later version", "job": "c"}, {"event": "started"})
    appended(root / "ledger.jsonl", b'[1]\nnot JSON\n{"event": "planned", "jobs": 7}\n' + b"[" * 5000 + b"\n")
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
