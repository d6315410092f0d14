"""Jobs that run in a moment, and a backend that runs them."""

import sys
from pathlib import Path
from typing import Any

from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.backends.local import LocalBackend
from s2s_lab.sweeps.leases import Leases

STUB = Path(__file__).with_name("stub_job.py")


def stub_job(outputs: Path, seed: int, *, steps: int = 3, experiment: str = "stubs", **stub: Any) -> FrozenJob:
    settings = {"seed": seed, "steps": steps, **stub}
    key = configuration_hash(settings)
    return FrozenJob(
        f"seed={seed}",
        {
            "name": "stub",
            "experiment_name": experiment,
            "seed": seed,
            "paths": {"outputs": str(outputs)},
            "data": {"name": "none", "source": "a", "target": "b"},
            "trainer": {
                "num_threads": None,
                "devices": 1,
                "num_nodes": 1,
                "accelerator": "cpu",
                "allocator": "default",
            },
            "stub": settings,
            "job": {"hash": key, "row_hash": key, "choices": {}, "command": "stub"},
        },
    )


def stub_command(folder: RunFolder, *, resume: bool, accept_changed_data: bool) -> list[str]:
    return [sys.executable, str(STUB), str(folder.configuration_file), *["--resume"] * resume]


def stub_backend(*, cores: int = 2, jobs_at_once: int | None = None) -> LocalBackend:
    return LocalBackend(Leases(cores), jobs_at_once=jobs_at_once, warm=False, command=stub_command)
