"""A process that loads early becomes the job, or gives way to a fresh one, and never stays behind."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.assemble.configuration import compose_jobs
from s2s_lab.faults import RequestError
from s2s_lab.sweeps.early import EarlyJob
from s2s_lab.sweeps.process import run_job
from s2s_lab.train import Trainings
from tests.sweeps.test_process import SETTINGS, _alive, job_that

EARLY_OR_FRESH = """
echo $$ >> {0}/pids
if [ "$3" = --wait ]; then read line || exit 9; echo "$line" > {0}/early; else echo "$@" > {0}/fresh; fi
exit {1}
"""


def ended(tmp_path: Path) -> bool:
    deadline = time.monotonic() + 20
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(_alive(pid) for pid in pids)


def started(tmp_path: Path) -> bool:
    deadline = time.monotonic() + 20
    while not (tmp_path / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return (tmp_path / "pids").exists()


def test_it_becomes_the_job_and_its_end_is_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = job_that(tmp_path, monkeypatch, EARLY_OR_FRESH.format(tmp_path, 2))
    early = EarlyJob(SETTINGS["trainer"])
    monkeypatch.setenv("SOME_LIBRARYS_CACHE", "/somewhere")  # what is loaded meanwhile adds such things
    with pytest.raises(RequestError, match="refused"):
        run_job(folder, resume=True, early=early)
    assert json.loads((tmp_path / "early").read_text()) == [str(folder.configuration_file), "--resume"]
    assert not (tmp_path / "fresh").exists() and ended(tmp_path)


def test_a_job_of_another_environment_is_a_fresh_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = job_that(tmp_path, monkeypatch, EARLY_OR_FRESH.format(tmp_path, 0))
    early = EarlyJob({**SETTINGS["trainer"], "num_threads": 1})
    assert started(tmp_path)
    run_job(folder, early=early)
    assert not (tmp_path / "early").exists() and str(folder.configuration_file) in (tmp_path / "fresh").read_text()
    assert ended(tmp_path)


def test_a_job_of_several_ranks_takes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = job_that(tmp_path, monkeypatch, EARLY_OR_FRESH.format(tmp_path, 0))
    folder.write_configuration({"trainer": {**SETTINGS["trainer"], "devices": 2}})
    early = EarlyJob(SETTINGS["trainer"])
    run_job(folder, early=early)
    assert not (tmp_path / "early").exists() and (tmp_path / "fresh").exists()
    early.close()
    assert ended(tmp_path)


def test_one_that_has_died_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f'echo $$ >> {tmp_path}/pids; test "$3" = --wait && exit 1; echo "$@" > {tmp_path}/fresh'
    folder = job_that(tmp_path, monkeypatch, script)
    early = EarlyJob(SETTINGS["trainer"])
    assert started(tmp_path) and ended(tmp_path)
    run_job(folder, early=early)
    assert str(folder.configuration_file) in (tmp_path / "fresh").read_text()


@pytest.mark.parametrize("words", [["encoder.num_layers=0"], ["launch=false"], []], ids=str)
def test_a_command_starts_one_for_a_training_alone_and_ends_it_where_that_is_refused(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Fake:
        def __init__(self, trainer: Mapping[str, Any]) -> None:
            told.append("started")

        def close(self) -> None:
            told.append("closed")

    monkeypatch.setattr("s2s_lab.sweeps.early.EarlyJob", Fake)
    (job,) = compose_jobs("train", ["data=reverse", "model=gru", *words], multirun=False, folder=None)
    trainings = Trainings(sweep=False)
    if words == ["encoder.num_layers=0"]:
        with pytest.raises(RequestError, match="num_layers"):
            trainings.check([job])
        assert told == ["started", "closed"]
    else:
        trainings.check([job])
        assert told == ([] if words else ["started"])
    told.clear()
    Trainings(sweep=True).check([] if words else [job])
    assert told == []


def test_closing_it_ends_it_however_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job_that(tmp_path, monkeypatch, EARLY_OR_FRESH.format(tmp_path, 0))
    early = EarlyJob(SETTINGS["trainer"])
    assert started(tmp_path)
    early.close()
    early.close()
    assert ended(tmp_path) and not (tmp_path / "early").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [(b'["run/config.yaml", "--resume"]\n', "['run/config.yaml', '--resume'] b''"), (b'["run/conf', ""), (b"", "")],
)
def test_whole_words_are_run_with_an_empty_input_and_torn_ones_are_not(given: bytes, told: str) -> None:
    program = "import sys; from s2s_lab.sweeps.early import wait_for_words; "
    program += "wait_for_words(lambda words: print(words, sys.stdin.buffer.read()))"
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, check=True)
    assert (done.stdout.decode().strip(), done.stderr) == (told, b"")
