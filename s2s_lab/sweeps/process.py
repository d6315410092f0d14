"""Runs one job in a process of its own, from the configuration frozen in its run folder."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.ranks import WATCHED, Ranks
from s2s_lab.sweeps.verdict import judge, record_end

if TYPE_CHECKING:
    from s2s_lab.sweeps.early import EarlyJob

PROGRAM = "s2s_lab.job"
DISTRIBUTED_VARIABLES = (
    "LOCAL_RANK",
    "RANK",
    "GROUP_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "NODE_RANK",
    "PL_GLOBAL_SEED",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_NTASKS",
    WATCHED,
)
RETAINING_ALLOCATOR = (
    "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184:glibc.malloc.hugetlb=1"
    # Without caches of small blocks the rests that aligned blocks leave behind join them again when they are freed;
    # otherwise a block never fits where one of its size was, and the heap grows.
    ":glibc.malloc.tcache_count=0"
)
KERNELS = "256"  # products' kernels that oneDNN keeps, one for each shape; its own 1,024 take up to a gigabyte
PR_SET_PDEATHSIG = 1
PRCTL = ctypes.CDLL(None).prctl  # looked up here: nothing may be loaded between fork and exec


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a job's process: no trace of another job's ranks, its thread count and allocator.

    Args:
        settings: the job's `trainer` section: `num_threads` (null for all cores) and `allocator` (`retain` keeps freed
            memory in the process, which spares page faults in exchange for a higher resident size).
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in DISTRIBUTED_VARIABLES and not name.startswith(("MASTER_", "TORCHELASTIC_"))
    }
    threads = settings["num_threads"] or max(1, len(os.sched_getaffinity(0)) // settings.get("devices", 1))
    inherited["OMP_NUM_THREADS"] = inherited["MKL_NUM_THREADS"] = str(threads)
    inherited.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)
    if settings["allocator"] == "retain":
        inherited.setdefault("GLIBC_TUNABLES", RETAINING_ALLOCATOR)
    return inherited


def restart_retaining_memory() -> None:
    """Starts this program again with an allocator that keeps freed memory, unless GLIBC_TUNABLES says otherwise.

    For commands that decode in their own process: the C library reads its settings at the start alone. To be called
    before anything is read or imported that takes time.
    """
    if "GLIBC_TUNABLES" in os.environ:
        return
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)
    os.environ["GLIBC_TUNABLES"] = RETAINING_ALLOCATOR
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def job_command(folder: RunFolder, *, resume: bool = False, accept_changed_data: bool = False) -> list[str]:
    """The program that trains a frozen run folder, in one process or as one rank of several.

    Args:
        folder: a run folder whose config.yaml is written.
        resume: whether to go on from its newest whole checkpoint.
        accept_changed_data: whether to go on although the corpus was changed since.
    """
    options = ["--resume"] * resume + ["--accept-changed-data"] * accept_changed_data
    return [sys.executable, "-m", PROGRAM, str(folder.configuration_file), *options]


def run_job(
    folder: RunFolder, *, resume: bool = False, accept_changed_data: bool = False, early: "EarlyJob | None" = None
) -> None:
    """Runs `python -m s2s_lab.job` on a frozen run folder, as many ranks as it says, and waits for their end.

    The ranks die with this process; interrupts and SIGTERM are handed on to all of them. When one of them fails, the
    others are ended too, and why it failed is in the run folder's error.txt.

    Args:
        folder: a run folder whose config.yaml is written.
        resume: whether to go on from its newest whole checkpoint.
        accept_changed_data: whether to go on although the corpus was changed since.
        early: a process that has begun to load, for a job of one rank.

    Raises:
        RequestError: if the job ends with exit code 2; it has printed why. Or if it is one of several machines.
        RunError: if it ends with another code than 0.
        KeyboardInterrupt: if it was interrupted and has saved its state.
    """
    try:
        _run(folder, early, resume=resume, accept_changed_data=accept_changed_data)
    except KeyboardInterrupt:
        record_end(folder, "interrupted", "interrupted")  # where the job itself was not there yet to say it
        raise


def _run(folder: RunFolder, early: "EarlyJob | None", *, resume: bool, accept_changed_data: bool) -> None:
    settings = folder.configuration()["trainer"]
    count = settings.get("devices", 1)
    if settings.get("num_nodes", 1) > 1:
        raise RequestError(
            f"trainer.num_nodes={settings['num_nodes']}: start `-m s2s_lab.job {folder.configuration_file}` on every "
            f"machine, by torchrun or srun (launch=false freezes a run for that)"
        )
    command = job_command(folder, resume=resume, accept_changed_data=accept_changed_data)
    own = environment(settings)
    started = early.take(command[command.index(PROGRAM) + 1 :], own) if early is not None and count == 1 else None
    ranks = Ranks(command, own, count=count, before=dying_with(os.getpid()), started=started)
    previous = signal.signal(signal.SIGTERM, lambda number, frame: ranks.stop())
    try:
        ended = ranks.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)
    judge(folder, ended, stopped=ranks.stops > 0)


def dying_with(parent: int) -> Callable[[], None]:
    """What a child runs between fork and exec, so that it does not outlive its parent."""
    return lambda: die_with(parent)


def die_with(parent: int) -> None:
    """Asks for SIGTERM at the parent's death, and ends this process if that came already.

    Args:
        parent: process that this one was forked from.
    """
    PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGTERM)
