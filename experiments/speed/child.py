"""Measurements in processes of their own, with the environment that the product gives its trainings."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.speed.rates import json_lines
from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.job import freeze
from s2s_lab.faults import RunError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.process import environment


def measured(module: str, task: Mapping[str, Any], variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Runs `experiments.speed.jobs.MODULE` with a task and reads what it found.

    Args:
        module: name of the job.
        task: its task, as JSON.
        variables: the whole environment of the process; this process' own by default.

    Raises:
        RunError: if it fails; with the last line of its errors.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.speed.jobs.{module}", json.dumps(task)],
        env=dict(os.environ if variables is None else variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise RunError(f"the measurement {module} failed: {lines[-1] if lines else f'code {done.returncode}'}")
    return json_lines(done.stdout, ())[-1]


def frozen(words: Sequence[str]) -> RunFolder:
    """A run folder whose configuration is that of `s2s-train` with these words; nothing is trained."""
    configuration = compose_jobs("train", list(words), multirun=False, folder=None)[0]
    return freeze(configuration, configuration.hydra).create_folder()


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """The plain configuration of `s2s-train` with these words."""
    return plain(compose_jobs("train", list(words), multirun=False, folder=None)[0])


def training_environment(run: RunFolder) -> dict[str, str]:
    """The environment that the product gives the training of a run folder: threads and allocator."""
    return environment(run.configuration()["trainer"])
