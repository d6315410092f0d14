"""One start of a job as a cluster's worker runs it: a child process that dies with the worker, and how it ended.

The worker shares its file system with whoever asked for the start: the run folder, with its frozen config.yaml, is all
that is exchanged. The worker needs the same installation of s2s_lab at the same path.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from s2s_lab.sweeps import process
from s2s_lab.sweeps.backends.base import Task
from s2s_lab.sweeps.ends import oom_kills
from s2s_lab.sweeps.verdict import INTERRUPTED

STOP_SECONDS = 60.0
"""After it was asked to stop a task has this long to save its state, before it is killed."""

OUT_OF_MEMORY = "out of memory"
CANCELLED = "cancelled"
NODE_FAILED = "node failed"
PREEMPTED = "preempted"
OUT_OF_TIME = "out of time"

ASKING = (signal.SIGTERM, signal.SIGUSR2)
"""Signals by which clusters ask a job to save its state: SIGTERM, and submitit's before a time limit or preemption."""


CORE = "\0s2s_lab-core-"
"""Names by which starts on one machine take its cores; they are of sockets and lie in no folder."""


@dataclass(frozen=True)
class Start:
    """All that a worker must know.

    Attributes:
        command: the job's program.
        folder: where it runs.
        settings: the job's `trainer` section.
        cores: leased to it.
        stop_file: if it exists before the job is started, it is not.
    """

    command: tuple[str, ...]
    folder: str
    settings: dict[str, Any]
    cores: int
    stop_file: str | None = None


class Ended(NamedTuple):
    """What came of a start.

    Attributes:
        code: the job's exit code, or minus the signal that killed it.
        asked: the signal that made the worker stop it; 0 where none did.
        seconds: how long it ran.
        worker: host and process id of the worker.
        of_memory: whether it was killed while the worker's machine killed something for want of memory.
    """

    code: int
    asked: int
    seconds: float
    worker: tuple[str, int]
    of_memory: bool = False


def start_of(task: Task, *, stop_file: Path | None = None) -> Start:
    """Says on this machine what a worker is to run.

    Raises:
        RequestError: if the run folder's configuration cannot be read.
    """
    return Start(
        command=tuple(
            process.job_command(task.folder, resume=task.resume, accept_changed_data=task.accept_changed_data)
        ),
        folder=os.getcwd(),
        settings=task.folder.configuration()["trainer"],
        cores=task.cores,
        stop_file=None if stop_file is None else str(stop_file),
    )


def run_start(start: Start) -> Ended:
    """Runs a job to its end. To be called in the main thread of a worker.

    SIGTERM and SIGUSR2 let the job save its state and end (once: they are not handed on again); so does
    KeyboardInterrupt, and kills the job when it comes once more. A worker that dies takes the job with it.

    Returns:
        How the job ended.

    Raises:
        OSError: if the job's program or its folder are not there.
    """
    began = time.monotonic()
    asked: list[int] = []
    killed_before = oom_kills()

    def ended(code: int) -> Ended:
        worker = (os.uname().nodename, os.getpid())
        of_memory = code == -signal.SIGKILL and oom_kills() > killed_before
        return Ended(code, asked[0] if asked else 0, time.monotonic() - began, worker, of_memory)

    with _heard(asked), _cores(start.cores) as cores:
        if start.stop_file is not None and os.path.exists(start.stop_file):
            asked.append(signal.SIGTERM)
        if asked:
            return ended(INTERRUPTED)
        threads = max(1, start.cores // start.settings.get("devices", 1))
        settings = {**start.settings, "num_threads": start.settings["num_threads"] or threads}
        child = subprocess.Popen(
            start.command,
            stdin=subprocess.DEVNULL,
            cwd=start.folder,
            env=process.environment(settings),
            process_group=0,
            preexec_fn=_before(os.getpid(), cores),
        )
        try:
            return ended(_wait(child, asked))
        except BaseException:
            _kill(child)
            raise


def _wait(child: subprocess.Popen[bytes], asked: list[int]) -> int:
    told = kill = False
    while True:
        try:
            if asked and not told:
                told = True
                child.terminate()
            if kill:
                _kill(child)
            return child.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:
            kill = told
            asked.append(signal.SIGINT)


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


@contextlib.contextmanager
def _heard(asked: list[int]) -> Iterator[None]:
    """Notes the signals that ask the job to stop, and gives them back to the worker in the end."""

    def hear(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, hear) for number in ASKING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _cores(count: int) -> Iterator[set[int]]:
    """Takes so many of the cores that this process may use, such as no other start on this machine has taken.

    A core is taken by a name that the system gives back when this process ends, in whatever way. Where more are
    promised than there are, starts share cores.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if count >= len(allowed):
        yield set(allowed)
        return
    taken: list[int] = []
    with contextlib.ExitStack() as locks:
        for core in allowed:
            lock = locks.enter_context(socket.socket(socket.AF_UNIX))
            with contextlib.suppress(OSError):  # the name is in use: another start has the core
                lock.bind(f"{CORE}{core}")
                taken.append(core)
            if len(taken) == count:
                break
        shared = [core for core in allowed if core not in taken][: count - len(taken)]
        yield {*taken, *shared}


def _before(worker: int, cores: set[int]) -> Callable[[], None]:
    """What the child runs before its program: ask for SIGTERM at the worker's death, and keep to its cores."""

    def ask() -> None:
        process.PRCTL(process.PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != worker:
            os._exit(128 + signal.SIGTERM)
        os.sched_setaffinity(0, cores)

    return ask
