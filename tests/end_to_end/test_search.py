"""A search as a user runs it: killed and taken up again, with options of the user's own, judged by its validations."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from s2s_lab.records.durable import read_json
from s2s_lab.sweeps.search.objectives import DIRECTION_OF, read_objectives
from s2s_lab.sweeps.search.settings import Wanted
from tests.end_to_end.conftest import REPOSITORY, SMALL, Commands

WORDS = [
    *SMALL,
    "data.size=200",
    "logger=csv",
    "trainer.max_steps=40",
    "trainer.validate_every=10",
    "trainer.validation_sentences=8",
    "experiment_name=found",
    "hydra.launcher.jobs_at_once=1",
]
SEARCH = [
    "-m",
    "hydra/sweeper=optuna",
    *WORDS,
    "model=choice(gru,own)",
    "optimizer.lr=tag(log,interval(0.0003,0.01))",
    "hydra.sweeper.spaces={model\\=own: {encoder.num_layers: 'choice(1,2)'}}",
    "hydra.sweeper.trials=4",
    "hydra.sweeper.pruning.method=median",
    "hydra.sweeper.pruning.startup_trials=1",
    "hydra.sweeper.poll_seconds=0.1",
]


@pytest.fixture
def own_options(commands: Commands) -> list[str]:
    """A folder of the user's own with a model called `own`."""
    folder = commands.folder / "own" / "model"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text((REPOSITORY / "conf" / "model" / "lstm.yaml").read_text(encoding="utf-8"))
    return ["--config-dir", str(folder.parent)]


@pytest.mark.slow
def test_a_killed_search_goes_on_and_ends_with_every_trial_once(commands: Commands, own_options: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "s2s_lab.train", *SEARCH, *own_options],
        cwd=commands.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "(2 of 4)" in line and line.startswith("run "):  # the second job has just started
                break
        process.send_signal(signal.SIGKILL)
    done = commands("train", *SEARCH, *own_options)
    assert "goes on: 1 of 4 trials are done, 1 interrupted" in done.stdout
    assert re.search(r"^4 jobs, 1 of them done before, \d+ at a time with 1 core each, ", done.stdout, re.MULTILINE)
    folder = commands.folder / "outputs" / "found"
    record = read_json(folder / "search.json")
    outcomes = Counter(trial["outcome"] for trial in record["trials"])
    assert sum(outcomes.values()) == 4 and set(outcomes) <= {"finished", "stopped"}
    events = [json.loads(line) for line in (folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    finishes = Counter(event["job"] for event in events if event.get("status") == "finished")
    assert set(finishes.values()) == {1} and len(finishes) == outcomes["finished"]
    assert len(list(folder.glob("2*/run.json"))) == 4
    (best,) = [trial for trial in record["trials"] if trial["number"] == record["best"][0]]
    facts = read_json(folder / best["run"] / "run.json")
    assert facts["best"]["value"] == best["values"][0]
    assert facts["validations"]["history"] == best["validations"]
    for name in (*DIRECTION_OF, "exact_match"):
        (objective,) = read_objectives((Wanted(name),), "exact_match", True)
        assert isinstance(objective.value(facts), float)
    again = commands("train", *SEARCH, *own_options)
    assert "goes on: 4 of 4" in again.stdout and not [line for line in again.stdout.splitlines() if line[:4] == "run "]
    changed = commands("train", *SEARCH, "seed=7", *own_options, code=2)
    assert changed.stderr.count("\n") == 1 and "words was nothing, is now seed=7" in changed.stderr


@pytest.mark.slow
def test_a_wandb_sweep_is_written_without_an_account(commands: Commands) -> None:
    words = ["model=gru,lstm", "optimizer.lr=tag(log,interval(0.0003,0.01))"]
    done = commands("train", "-m", "hydra/sweeper=wandb", *WORDS[:-1], *words)
    path: Path = commands.folder / "outputs" / "found" / "wandb-sweep.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.strip() in done.stdout
    configuration = yaml.safe_load(text)
    assert configuration["parameters"]["model"] == {"values": ["gru", "lstm"]}
    assert configuration["metric"] == {"name": "exact_match", "goal": "maximize"}
