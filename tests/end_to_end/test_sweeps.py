"""Sweeps as a user starts them: one process a job, failures on their own, ranks, interrupts and kills."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.ledger import Ledger
from tests.end_to_end.conftest import REPOSITORY, Commands

TINY = ["data=reverse", "debug=tiny", "data.size=400", "logger=csv"]


def runs(folder: Path, experiment: str = "reverse") -> dict[str, RunFolder]:
    """Run folders by name and seed."""
    found = [RunFolder(path.parent) for path in (folder / "outputs" / experiment).glob("*/run.json")]
    return {f"{facts['name']} {facts['seed']}": run for run in found for facts in [run.read()]}


def weights(run: RunFolder) -> bytes:
    return (run.model / "model.safetensors").read_bytes()


def curves(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics_csv.open() as file:
        return [{key: value for key, value in row.items() if "second" not in key} for row in csv.DictReader(file)]


def test_a_job_of_a_sweep_is_the_job_run_alone(commands: Commands) -> None:
    """Forked from the warm server or started afresh: the same curves and bytes; what finished is not run again."""
    done = commands("train", "-m", *TINY, "model=gru,rnn", "experiment_name=sweep")
    assert done.stdout.startswith("2 jobs, ")
    commands("train", *TINY, "model=gru", "experiment_name=alone", "trainer.num_threads=1")
    swept, alone = runs(commands.folder, "sweep"), runs(commands.folder, "alone")
    assert weights(swept["gru 1"]) == weights(alone["gru 1"])
    assert curves(swept["gru 1"]) == curves(alone["gru 1"]) != curves(swept["rnn 1"])
    assert not list(commands.folder.glob("outputs/sweep/*/error.txt"))
    again = commands("train", "-m", *TINY, "model=gru,rnn", "experiment_name=sweep")
    assert again.stdout.count("finished before") == 2
    assert runs(commands.folder, "sweep").keys() == swept.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "plan"),
    [
        (
            [
                "hydra/launcher=slurm",
                "hydra.launcher.options.cluster=local",
                "hydra.launcher.jobs_at_once=2",
                "hydra.launcher.cores_per_job=1",
            ],
            "2 jobs, 2 at a time with 1 core each, ",
        ),
        (["hydra/launcher=ray", "hydra.launcher.options.cores=1"], "2 jobs, 1 at a time with 1 core each, "),
    ],
    ids=["slurm", "ray"],
)
def test_a_sweep_elsewhere_trains_what_a_sweep_here_trains(words: list[str], plan: str, commands: Commands) -> None:
    done = commands("train", "-m", *words, *TINY, "model=gru,rnn", "experiment_name=elsewhere")
    assert done.stdout.startswith(plan)
    commands("train", "-m", *TINY, "model=gru,rnn", "experiment_name=here", "hydra.launcher.cores_per_job=1")
    elsewhere, here = runs(commands.folder, "elsewhere"), runs(commands.folder, "here")
    assert elsewhere.keys() == here.keys() == {"gru 1", "rnn 1"}
    for name, run in elsewhere.items():
        assert run.read()["status"] == "finished"
        assert run.configuration()["trainer"]["num_threads"] == here[name].configuration()["trainer"]["num_threads"]
        assert weights(run) == weights(here[name])
    again = commands("train", "-m", *words, *TINY, "model=gru,rnn", "experiment_name=elsewhere")
    assert again.stdout.count("finished before") == 2
    assert {run.path for run in runs(commands.folder, "elsewhere").values()} == {run.path for run in elsewhere.values()}


def test_a_job_that_fails_has_its_own_traceback_and_ends_nothing_else(commands: Commands) -> None:
    words = [*TINY, "optimizer.lr=0.01,1e38", "trainer.validate_every=20"]
    done = commands("train", "-m", *words, code=1)
    failed = [run for run in runs_of(commands.folder) if run.read()["status"] == "failed"]
    assert len(failed) == 1 and failed[0].error_file.read_text().strip()
    assert "1 of 2 jobs failed; one of them: " in done.stderr and str(failed[0].error_file) in done.stderr
    assert [run.read()["status"] for run in runs_of(commands.folder) if run.path != failed[0].path] == ["finished"]


def runs_of(folder: Path) -> list[RunFolder]:
    return [RunFolder(path.parent) for path in (folder / "outputs" / "reverse").glob("*/run.json")]


def test_jobs_of_one_rank_and_of_two_in_one_sweep(commands: Commands) -> None:
    ranks = [*TINY, "trainer=ddp_cpu", "trainer.precision=64-true", "trainer.try_largest_batch=false"]
    commands("train", "-m", *ranks, "trainer.devices=1,2", "hydra.launcher.cores_per_job=1")
    found = {run.configuration()["trainer"]["devices"]: run for run in runs_of(commands.folder)}
    assert sorted(found) == [1, 2]
    assert all(run.read()["status"] == "finished" for run in found.values())
    one, two = found[1].read(), found[2].read()
    assert one["tokens"] == two["tokens"]  # each sees all data once
    assert two["best"]["value"] == pytest.approx(one["best"]["value"], abs=1e-6)


def test_an_interrupted_sweep_goes_on_by_the_same_command(commands: Commands) -> None:
    words = ["-m", *TINY, "seed=1,2", "trainer.max_steps=400", "trainer.validate_every=50"]
    process = sweep(commands.folder, words)
    until_trained(commands.folder, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 130 and "interrupted" in errors
    assert {run.read()["status"] for run in runs_of(commands.folder)} <= {"interrupted", "finished"}
    before = {run.path for run in runs_of(commands.folder)}
    commands("train", *words)
    assert {run.path for run in runs_of(commands.folder)} >= before
    assert [run.read()["status"] for run in runs_of(commands.folder)] == ["finished"] * 2


def sweep(folder: Path, words: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "s2s_lab.train", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_trained(folder: Path, process: subprocess.Popen) -> None:
    """Waits for the first checkpoint of any job."""
    deadline = time.monotonic() + 180
    while not list(folder.glob("outputs/*/*/checkpoints/last.ckpt")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)


@pytest.mark.slow
def test_forty_jobs_killed_five_times_end_as_if_they_never_were(commands: Commands) -> None:
    """SIGKILL to the launcher and every process it has started, at random moments."""
    words = ["-m", *TINY, "model=rnn,gru,lstm,gru_attention", "seed=1,2,3,4,5,6,7,8,9,10", "trainer.max_steps=60"]
    began = time.monotonic()
    commands("train", *words, "experiment_name=whole", seconds=1200)
    whole = time.monotonic() - began
    moments = random.Random()
    for _ in range(5):
        process = sweep(commands.folder, [*words, "experiment_name=cut"])
        time.sleep(moments.uniform(0.15, 0.35) * whole)
        kill_all(process.pid)
        process.communicate()
    commands("train", *words, "experiment_name=cut", seconds=1200)
    ledgers = {name: Ledger(commands.folder / "outputs" / name) for name in ("whole", "cut")}
    for ledger in ledgers.values():
        ledger.read()
    assert [(entry[0], *entry[2:]) for entry in ledgers["cut"].summary()] == [
        (entry[0], *entry[2:]) for entry in ledgers["whole"].summary()
    ]
    assert {entry.finishes for entry in ledgers["cut"].entries.values()} == {1}
    first, second = runs(commands.folder, "whole"), runs(commands.folder, "cut")
    assert len(second) == 40 and first.keys() == second.keys()
    for name, run in first.items():
        assert weights(run) == weights(second[name]), name
        assert json.dumps(run.read()["best"]) == json.dumps(second[name].read()["best"])


def kill_all(pid: int) -> None:
    """Kills a process and all its descendants at once, without a chance to save anything."""
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children")
        found += [int(child) for child in children.read_text().split()] if children.is_file() else []
        if parent != pid:
            stop(parent, signal.SIGSTOP)
    for process in found:
        stop(process, signal.SIGKILL)


def stop(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass
