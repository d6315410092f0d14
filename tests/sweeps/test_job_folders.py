"""Folders of jobs: those that another process holds, those that lost their record, and what a resumed job leases."""

import subprocess
import sys
from pathlib import Path

import pytest

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.run_jobs import run_jobs
from tests.sweeps.test_engine import ledger, statuses, stubs, sweep


def holder_of(folder: RunFolder) -> "subprocess.Popen[bytes]":
    """Another process that holds a run's folder until its input ends."""
    code = (
        "import sys, s2s_lab.records.run_folder as r\nwith r.RunFolder(sys.argv[1]).held(): print(1, flush=1); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdout.readline()
    return holder


def test_a_job_that_another_process_trains_holds_nobody_up_and_can_be_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [stubs.stub_job(tmp_path, seed) for seed in range(4)]
    folder = jobs[0].create_folder()
    with holder_of(folder) as holder:
        with Engine(EngineSettings(), total=4, backend=stubs.stub_backend(cores=2)) as engine:
            outcomes = run_jobs(engine, jobs, seconds=15.0)
        holder.communicate(b"\n")
    assert statuses(outcomes) == {"seed=0": "stopped", "seed=1": "finished", "seed=2": "finished", "seed=3": "finished"}
    assert f"seed=0: waits for the process that trains in {folder.path}" in capsys.readouterr().out
    assert jobs[0].hash not in ledger(tmp_path).entries and folder.read()["status"] == "running"
    assert statuses(sweep(jobs)) == {f"seed={seed}": "finished" for seed in range(4)}


def test_a_resumed_job_leases_the_cores_of_its_frozen_threads_and_ranks_share_them(tmp_path: Path) -> None:
    job = stubs.stub_job(tmp_path, 0, fails_at=2, how="error")
    sweep([job], cores_per_job=2)
    with Engine(EngineSettings(cores_per_job=1), total=1, backend=stubs.stub_backend(cores=2)) as engine:
        engine.start(job)
        assert [item.task.cores for item in engine.running()] == [2]
        assert engine.running()[0].step == 2 and run_jobs(engine, [])
    trainer = {**job.settings["trainer"], "devices": 2}
    pair = FrozenJob("pair", {**stubs.stub_job(tmp_path, 7).settings, "trainer": trainer})
    with Engine(EngineSettings(), total=1, backend=stubs.stub_backend(cores=2)) as engine:
        engine.start(pair)
        (item,) = engine.running()
        share = max(1, EngineSettings().all_cores // 2)
        assert item.folder.configuration()["trainer"]["num_threads"] == share and item.task.cores == 2 * share
        run_jobs(engine, [])


def test_a_job_that_needs_more_gpus_than_there_are_is_refused(tmp_path: Path) -> None:
    job = stubs.stub_job(tmp_path, 0)
    job = FrozenJob(job.label, {**job.settings, "trainer": {**job.settings["trainer"], "accelerator": "auto"}})
    (outcome,) = sweep([job], gpus_per_job=1)
    assert (outcome.status, outcome.reason) == ("refused", "it needs 1 GPU; this machine has none")


def test_a_run_that_lost_its_record_is_not_deleted(tmp_path: Path) -> None:
    job = stubs.stub_job(tmp_path, 0)
    (first,) = sweep([job])
    assert first.folder is not None
    first.folder.run_file.unlink()
    (tmp_path / "stubs" / "ledger.jsonl").unlink()
    half = tmp_path / "stubs" / f"20000101-000000-{job.hash}"
    half.mkdir()
    (half / "config.yaml").write_text("")
    (again,) = sweep([job])
    assert again.status == "finished" and again.folder != first.folder
    assert (first.folder.checkpoints / "last").is_file() and not half.exists()
