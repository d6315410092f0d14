"""What a sweep is told about how to run its jobs: where, how many at once, with how much, and what a failure means."""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.leases import gpus_of_machine

BACKENDS = ("local", "slurm", "ray")
ON_FAILURE = ("continue", "stop", "retry")


@dataclass(frozen=True)
class EngineSettings:
    """The node hydra.launcher (conf/hydra/launcher/).

    Attributes:
        backend: Where jobs run: local, slurm or ray.
        jobs_at_once: At most; None for as many as cores and GPUs allow.
        cores_per_job: Threads of each rank of a job; None for an equal share of the cores, at least one.
        gpus_per_job: None for as many as a job has devices where it runs on GPUs.
        jobs_per_gpu: Jobs that share a GPU.
        on_failure: `continue` with the other jobs, `stop` the sweep, or `retry` the job from its last checkpoint.
        retries: Further attempts where on_failure is retry.
        warm: Whether small jobs are forked from a process that has everything loaded.
        accept_changed: Whether a job that was defined otherwise when it ran before is run anew.
        options: Of the backend.
    """

    backend: str = "local"
    jobs_at_once: int | None = None
    cores_per_job: int | None = None
    gpus_per_job: int | None = None
    jobs_per_gpu: int = 1
    on_failure: str = "continue"
    retries: int = 1
    warm: bool = True
    accept_changed: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            RequestError: naming the first that is wrong.
        """
        _one_of("backend", self.backend, BACKENDS)
        _one_of("on_failure", self.on_failure, ON_FAILURE)
        for name, least in (("jobs_at_once", 1), ("cores_per_job", 1), ("gpus_per_job", 0), ("jobs_per_gpu", 1),
                            ("retries", 0)):  # fmt: skip
            value = getattr(self, name)
            optional = value is None and name not in ("jobs_per_gpu", "retries")
            if not optional and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise RequestError(f"hydra.launcher.{name}={value}: a number of at least {least} is expected")
        for name in ("warm", "accept_changed"):
            if not isinstance(getattr(self, name), bool):
                raise RequestError(f"hydra.launcher.{name}={getattr(self, name)}: true or false is expected")
        if not isinstance(self.options, Mapping):
            raise RequestError(f"hydra.launcher.options={self.options}: a section with keys is expected")

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> "EngineSettings":
        """Reads the node, plain and resolved.

        Raises:
            RequestError: naming an unknown key, or a wrong value.
        """
        known = [item.name for item in fields(cls)]
        for key in node:
            if key not in known and key != "_target_":
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise RequestError(f"unknown key hydra.launcher.{key}{hint}")
        return cls(**{key: value for key, value in node.items() if key != "_target_"})

    @property
    def all_cores(self) -> int:
        """The cores that this process may use."""
        return len(os.sched_getaffinity(0))

    def cores_of_a_job(self, total: int) -> int:
        """Threads of each rank: as told, else an equal share of this machine's cores among the jobs that run at once.

        Args:
            total: jobs of the sweep. The share follows from the whole sweep, not from what is left of it, because the
                number of threads can change the last digits of a sum.
        """
        if self.cores_per_job is not None:
            return self.cores_per_job
        return 1 if self.backend != "local" else max(1, self.all_cores // self._places(total))

    def jobs_together(self, total: int) -> int:
        """How many jobs of one rank run at a time, as far as this machine decides it; total as above."""
        if self.backend != "local":
            return self.jobs_at_once or total
        return min(self._places(total), max(1, self.all_cores // self.cores_of_a_job(total)))

    def without_gpus(self, trainers: Iterable[Mapping[str, Any]]) -> "EngineSettings":
        """These settings, with no GPU for a job where none of the jobs uses one.

        Args:
            trainers: `trainer` of each job.
        """
        on_cpu = {trainer["accelerator"] for trainer in trainers} == {"cpu"}
        return replace(self, gpus_per_job=0) if on_cpu and self.gpus_per_job is None else self

    def _places(self, total: int) -> int:
        gpus = () if self.gpus_per_job == 0 else gpus_of_machine()
        places = len(gpus) * self.jobs_per_gpu // (self.gpus_per_job or 1) if gpus else self.all_cores
        return max(1, min(total, places, self.jobs_at_once or total))

    def gpus_of_a_job(self, devices: int) -> int:
        """GPUs of a job that runs wherever there are some: all its devices, none on a machine without."""
        return devices if self.backend != "local" or gpus_of_machine() else 0


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise RequestError(f"hydra.launcher.{name}={value}: one of {', '.join(known)} is expected")
