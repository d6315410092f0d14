"""Leases of one machine's cores and GPUs: no core is promised twice, and a GPU to as many jobs as may share it."""

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lease:
    """What one job has until it ends.

    Attributes:
        cores: Number of cores.
        gpus: Names of GPUs, as CUDA_VISIBLE_DEVICES takes them.
    """

    cores: int
    gpus: tuple[str, ...] = ()


class Leases:
    """What a machine has, and what of it is free.

    Args:
        cores: Number of cores.
        gpus: Names of its GPUs.
        jobs_per_gpu: Jobs that may share a GPU.
    """

    def __init__(self, cores: int, gpus: Sequence[str] = (), jobs_per_gpu: int = 1) -> None:
        self.cores, self.gpus = cores, tuple(gpus)
        self.free_cores = cores
        self.jobs_per_gpu = jobs_per_gpu
        self.places = dict.fromkeys(gpus, jobs_per_gpu)

    def places_for(self, cores: int, gpus: int = 0) -> int:
        """How many leases of so many there can be at a time."""
        by_cores = self.cores // min(cores, self.cores)
        return by_cores if gpus == 0 else min(by_cores, len(self.gpus) * self.jobs_per_gpu // gpus)

    def take(self, cores: int, gpus: int = 0) -> Lease | None:
        """Leases so many; a job that asks for more cores than there are gets all of them.

        Returns:
            The lease, of the GPUs that are shared least; None while that many are not free.
        """
        cores = min(cores, self.cores)
        open_gpus = sorted((gpu for gpu in self.gpus if self.places[gpu]), key=lambda gpu: -self.places[gpu])
        if cores > self.free_cores or gpus > len(open_gpus):
            return None
        lease = Lease(cores, tuple(sorted(open_gpus[:gpus], key=self.gpus.index)))
        self.free_cores -= lease.cores
        for gpu in lease.gpus:
            self.places[gpu] -= 1
        return lease

    def give_back(self, lease: Lease) -> None:
        """Ends a lease."""
        self.free_cores += lease.cores
        for gpu in lease.gpus:
            self.places[gpu] += 1


def gpus_of_machine() -> tuple[str, ...]:
    """Names of the GPUs that this process may use; found without loading CUDA."""
    return _gpus(os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("PATH", ""))


@functools.cache
def _gpus(visible: str | None, path: str) -> tuple[str, ...]:
    if visible is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() and name.strip() != "-1")
    program = shutil.which("nvidia-smi", path=path)
    if program is None:
        return ()
    listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0
    return tuple(map(str, range(count)))
