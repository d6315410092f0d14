"""Ranks of a job: what they find around them, how the first fault is told, and that none is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps import process, ranks
from s2s_lab.sweeps.process import run_job
from s2s_lab.sweeps.ranks import End, own_rank
from s2s_lab.sweeps.verdict import judge
from tests.sweeps.test_process import _alive, job_that

TWO = {"num_threads": 1, "allocator": "default", "devices": 2, "num_nodes": 1}


def two_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> RunFolder:
    """A run folder whose two ranks are a shell script; each writes its process first."""
    folder = job_that(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid$LOCAL_RANK\n{script}")
    folder.write_configuration({"trainer": TWO})
    folder.start({})
    return folder


def all_ended(tmp_path: Path) -> bool:
    return not any(_alive(int(file.read_text())) for file in tmp_path.glob("pid*"))


def test_ranks_find_their_number_and_one_meeting_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = two_ranks(tmp_path, monkeypatch, f"echo $WORLD_SIZE $MASTER_ADDR $MASTER_PORT > {tmp_path}/at$LOCAL_RANK")
    run_job(folder)
    first, second = ((tmp_path / f"at{rank}").read_text().split() for rank in range(2))
    assert first == second
    assert first[:2] == ["2", "127.0.0.1"]
    assert 0 < int(first[2]) < 65536


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("test $LOCAL_RANK = 0 && exec sleep 60; kill -9 $$", "rank 1 was killed by signal 9"),
        ("test $LOCAL_RANK = 1 && exec sleep 60; kill -9 $$", "rank 0 was killed by signal 9"),
        ("test $LOCAL_RANK = 0 && exec sleep 60; exit 7", "rank 1 ended with exit code 7"),
        (
            "test $LOCAL_RANK = 0 && exec sleep 60; echo 'It: broke' > RUN/run/error-rank1.txt; exit 1",
            "rank 1: It: broke",
        ),
        ("test $LOCAL_RANK = 0 && { sleep 0.5; exit 3; }; kill -9 $$", "rank 1 was killed by signal 9"),
        ("test $LOCAL_RANK = 0 && { sleep 0.5; exit 3; }; exit 0", "rank 1 ended before the others"),
    ],
)
def test_the_first_fault_is_named_and_the_other_rank_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    monkeypatch.setattr(ranks, "FAULT_SECONDS", 0.5)
    folder = two_ranks(tmp_path, monkeypatch, script.replace("RUN", str(tmp_path)))
    with pytest.raises(RunError, match=reason):
        run_job(folder)
    assert all_ended(tmp_path)
    assert folder.read()["status"] == "failed"
    assert folder.error_file.read_text().splitlines()[0] == reason


def test_a_refusal_of_all_ranks_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="refused"):
        run_job(two_ranks(tmp_path, monkeypatch, "exit 2"))


def test_more_machines_are_left_to_other_launchers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = job_that(tmp_path, monkeypatch, "exit 0")
    folder.write_configuration({"trainer": {**TWO, "num_nodes": 2}})
    with pytest.raises(RequestError, match=r"trainer\.num_nodes=2: .*torchrun"):
        run_job(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_all_ranks_hear_of_an_interrupt_and_a_deaf_one_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    """Rank 0 saves at SIGTERM; rank 1 does not listen, and is killed unless nobody is left to do it."""
    program = tmp_path / "python"
    deaf = "" if number == signal.SIGKILL else "trap '' TERM;"
    program.write_text(
        f"#!/bin/sh\nif test $LOCAL_RANK = 0; then trap 'touch {tmp_path}/saved; exit 130' TERM; else {deaf} :; fi\n"
        f"echo $$ > {tmp_path}/pid$LOCAL_RANK\nwhile true; do sleep 0.1; done\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    folder = RunFolder.create(tmp_path, "run")
    folder.write_configuration({"trainer": TWO})
    folder.start({})
    code = (
        "import sys\nfrom s2s_lab.records.run_folder import RunFolder\nfrom s2s_lab.sweeps import process, ranks\n"
        f"ranks.FAULT_SECONDS = ranks.STOP_SECONDS = 1.0\nsys.executable = {str(program)!r}\n"
        f"process.run_job(RunFolder({str(folder.path)!r}))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while len(list(tmp_path.glob("pid*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    parent.send_signal(number)
    assert parent.wait(timeout=20) != 0
    while time.monotonic() < deadline and not all_ended(tmp_path):
        time.sleep(0.05)
    assert all_ended(tmp_path)
    assert (tmp_path / "saved").exists()
    if number != signal.SIGKILL:
        assert folder.read()["status"] == "interrupted"
        assert "rank 1 did not end in time and was killed" in folder.error_file.read_text()


def test_a_job_that_could_not_write_its_end_gets_it_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = job_that(tmp_path, monkeypatch, "kill -9 $$")
    folder.start({})
    with pytest.raises(RunError, match="killed by signal 9"):
        run_job(folder)
    assert folder.read()["status"] == "failed"
    assert folder.error_file.read_text() == "killed by signal 9\n"


def test_an_end_that_the_job_has_written_is_kept(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.start({})
    folder.error_file.write_text("the traceback\n")
    folder.finish("failed")
    with pytest.raises(RunError, match="exit code 1"):
        judge(folder, [End(0, 1, False)], stopped=False)
    assert folder.error_file.read_text() == "the traceback\n"


@pytest.mark.parametrize(
    ("found", "rank"),
    [({}, None), ({"LOCAL_RANK": "1"}, 1), ({"RANK": "3", "LOCAL_RANK": "1"}, 3), ({"SLURM_PROCID": "2"}, 2)],
)
def test_a_process_knows_its_rank_from_whoever_started_it(found: dict[str, str], rank: int | None) -> None:
    assert own_rank(found) == rank


def test_ranks_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    threads = process.environment({**TWO, "num_threads": None, "devices": 4})["OMP_NUM_THREADS"]
    assert threads == "2"
