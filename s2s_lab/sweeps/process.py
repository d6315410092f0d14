"""Runs one job in a process of its own, from the configuration frozen in its run folder."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.run_folder import RunFolder

DISTRIBUTED_VARIABLES = (
    "LOCAL_RANK",
    "RANK",
    "GROUP_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "NODE_RANK",
    "PL_GLOBAL_SEED",
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


def environment(settings: dict[str, Any]) -> dict[str, str]:
    """The environment of a job's process: no trace of another job's ranks, its thread count and allocator.

    Args:
        settings: the job's `trainer` section: `num_threads` (null for all cores) and `allocator` (`retain` keeps freed
            memory in the process, which spares page faults in exchange for a higher resident size).
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in DISTRIBUTED_VARIABLES and not name.startswith("MASTER_")
    }
    threads = settings["num_threads"] or len(os.sched_getaffinity(0))
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


def run_job(folder: RunFolder, *, resume: bool = False, accept_changed_data: bool = False) -> None:
    """Runs `python -m s2s_lab.job` on a frozen run folder and waits for its end.

    The child dies with this process; interrupts and SIGTERM are handed on to it.

    Args:
        folder: a run folder whose config.yaml is written.
        resume: whether to go on from its newest whole checkpoint.
        accept_changed_data: whether to go on although the corpus was changed since.

    Raises:
        RequestError: if the job ends with exit code 2; it has printed why.
        RunError: if it ends with another code than 0; at 1 it has printed why.
        KeyboardInterrupt: if it was interrupted and has saved its state.
    """
    settings = folder.configuration()
    options = ["--resume"] * resume + ["--accept-changed-data"] * accept_changed_data
    command = [sys.executable, "-m", "s2s_lab.job", str(folder.configuration_file), *options]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,  # a process group of the background that asks the terminal is stopped for ever
        env=environment(settings["trainer"]),
        process_group=0,
        preexec_fn=_dying_with(os.getpid()),
    )
    terminated = False

    def hand_on(number: int, frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        child.send_signal(signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, hand_on)
    try:
        code = _wait(child)
    finally:
        signal.signal(signal.SIGTERM, previous)
    if terminated or code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code == 2:
        refused = RequestError(f"the job was refused; its folder is {folder.path}")
        refused.told = True
        raise refused
    if code != 0:
        reason = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        failed = RunError(f"the job failed ({reason}); see {folder.error_file} and {folder.log_file}")
        failed.told = code == 1
        raise failed


def _wait(child: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)  # its own process group hears no terminal: it saves its state, then ends


def _dying_with(parent: int) -> Callable[[], None]:
    """What a child runs before its program: ask for SIGTERM at its parent's death, and end if that came already."""

    def ask() -> None:
        PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGTERM)

    return ask
