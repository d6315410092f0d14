"""The backend that a sweep's settings ask for."""

from pathlib import Path

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.backends.base import Backend
from s2s_lab.sweeps.backends.local import LocalBackend
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.leases import Leases, gpus_of_machine


def choose_backend(settings: EngineSettings, *, total: int, outputs: Path) -> Backend:
    """Makes the backend.

    Args:
        settings: from hydra.launcher.
        total: jobs of the sweep.
        outputs: folder of all runs; a cluster's own files lie there.

    Raises:
        RequestError: if an option of the backend is unknown or wrong, or its package is missing.
    """
    if settings.backend == "slurm":
        from s2s_lab.sweeps.backends.slurm import SlurmBackend

        return SlurmBackend(settings.options, settings.jobs_at_once, outputs / ".slurm")
    if settings.backend == "ray":
        from s2s_lab.sweeps.backends.ray import RayBackend

        return RayBackend(settings.options, settings.jobs_at_once, jobs_per_gpu=settings.jobs_per_gpu)
    if settings.options:
        raise RequestError(f"unknown key hydra.launcher.options.{next(iter(settings.options))}: local jobs have none")
    leases = Leases(settings.all_cores, gpus_of_machine(), settings.jobs_per_gpu)
    smallest = (settings.cores_of_a_job(total), 1 if leases.gpus and settings.gpus_per_job != 0 else 0)
    return LocalBackend(leases, jobs_at_once=settings.jobs_at_once, smallest=smallest, warm=settings.warm)
