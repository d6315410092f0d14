"""Options of jobs on a SLURM cluster, and what submitit is asked for by them."""

from collections.abc import Mapping
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.backends.options import PLACE, read_options

DEFAULTS: dict[str, Any] = {
    "cluster": "slurm",
    "partition": None,
    "account": None,
    "time": 240,
    "memory": None,
    "save_seconds": 120,
    "sbatch": None,
    "setup": None,
}
KINDS = {
    "cluster": "text",
    "partition": "text",
    "account": "text",
    "time": "count",
    "memory": "number",
    "save_seconds": "count",
    "sbatch": "mapping",
    "setup": "lines",
}
CLUSTERS = ("slurm", "local")


def read_slurm_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the options; see SlurmBackend.

    Returns:
        All of them, those that are not given by their defaults.

    Raises:
        RequestError: if one is unknown or wrong.
    """
    read = read_options(options, DEFAULTS, KINDS)
    if read["cluster"] not in CLUSTERS:
        raise RequestError(f"{PLACE}.cluster is {read['cluster']!r}; expected one of {', '.join(CLUSTERS)}")
    return read


def parameters_of(options: Mapping[str, Any], cores: int, gpus: int, *, at_once: int | None) -> dict[str, Any]:
    """What submitit is to ask SLURM for.

    Args:
        options: as `read_slurm_options` gives them.
        cores: for each job.
        gpus: for each job.
        at_once: how many jobs of an array may run at a time; None for no limit.
    """
    further = {name: value for name, value in options["sbatch"].items() if value is not False}
    general = {
        "name": "s2s_lab",
        "timeout_min": options["time"],
        "mem_gb": options["memory"],
        "nodes": 1,
        "tasks_per_node": 1,
        "cpus_per_task": cores,
        "gpus_per_node": gpus or None,
    }
    return general | {
        "slurm_partition": options["partition"],
        "slurm_account": options["account"],
        "slurm_signal_delay_s": options["save_seconds"],
        "slurm_array_parallelism": at_once,
        "slurm_srun_args": [f"--cpus-per-task={cores}"],  # srun does not take it from sbatch
        "slurm_setup": options["setup"] or None,
        "slurm_additional_parameters": further | {"no-requeue": True},
    }
