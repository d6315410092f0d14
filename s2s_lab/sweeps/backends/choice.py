"""The backend that a sweep's settings ask for."""

from s2s_lab.sweeps.backends.base import Backend
from s2s_lab.sweeps.backends.local import LocalBackend
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.leases import Leases, gpus_of_machine


def choose_backend(settings: EngineSettings, *, total: int) -> Backend:
    """Makes the backend.

    Args:
        settings: from hydra.launcher.
        total: jobs of the sweep.

    Raises:
        RequestError: if an option of the backend is wrong, or its package is missing.
    """
    leases = Leases(settings.all_cores, gpus_of_machine(), settings.jobs_per_gpu)
    smallest = (settings.cores_of_a_job(total), 1 if leases.gpus and settings.gpus_per_job != 0 else 0)
    return LocalBackend(leases, jobs_at_once=settings.jobs_at_once, smallest=smallest, warm=settings.warm)
