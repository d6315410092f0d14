"""Jobs as processes of this machine: small ones forked from a warm server, others started afresh."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.backends.base import LOST_SERVER, End, Task
from s2s_lab.sweeps.counted import counted
from s2s_lab.sweeps.fork_server import ForkServer
from s2s_lab.sweeps.leases import Lease, Leases
from s2s_lab.sweeps.process import dying_with, environment, job_command

CONSOLE = "console.txt"
"""What a job prints, in its run folder; removed when it is empty."""

SERVER = (sys.executable, "-m", "s2s_lab.job", "--serve")
OF_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
SAVE_SECONDS = 90.0
"""Jobs have this long to save their state when the backend is closed."""


AT_THE_START = ("GLIBC_TUNABLES", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
"""What a process reads of its environment at its start alone; all else each job is given anew."""

_Key = tuple[str | None, ...]
_early: dict[_Key, ForkServer] = {}


def warm_early() -> None:
    """Starts the fork server of jobs with the default allocator, before anything is composed or checked.

    The next backend takes it over; without one it ends with this process.
    """
    key, shared = _shared(environment({"num_threads": 1, "allocator": "retain"}))
    _early[key] = ForkServer(SERVER, shared)


def _shared(own: Mapping[str, str]) -> tuple[_Key, dict[str, str]]:
    """What tells the servers of different jobs apart, and the environment of a job's server."""
    shared = {name: value for name, value in own.items() if name not in (*OF_THREADS, "CUDA_VISIBLE_DEVICES")}
    return tuple(own.get(name) for name in AT_THE_START), shared


@dataclass
class _Place:
    """Where a task runs: in a process of its own, or as a child of a server."""

    lease: Lease
    process: "subprocess.Popen[bytes] | None" = None
    server: ForkServer | None = None
    child: int = 0
    stops: int = 0


class LocalBackend:
    """The backend `local`.

    Args:
        leases: what of the machine the sweep may use.
        jobs_at_once: at most so many; None for as many as there are leases for.
        smallest: cores and GPUs that another task will need at least.
        warm: whether jobs of one process without a GPU are forked from a server that has everything loaded.
        command: of one start of a job.
        server: program of the fork server.
    """

    adopts = False

    def __init__(
        self,
        leases: Leases,
        *,
        jobs_at_once: int | None = None,
        smallest: tuple[int, int] = (1, 0),
        warm: bool = True,
        command: Callable[..., list[str]] = job_command,
        server: tuple[str, ...] = SERVER,
    ) -> None:
        self.leases, self.jobs_at_once, self.smallest, self.warm = leases, jobs_at_once, smallest, warm
        self._command, self._server = command, server
        self._running: dict[Task, _Place] = {}
        self._queue: list[Task] = []
        self._servers: dict[_Key, ForkServer] = dict(_early)
        self._replaced: list[ForkServer] = []
        _early.clear()
        self._ended: list[End] = []

    def has_room(self) -> bool:
        """Whether another task would start now."""
        if self._queue or (self.jobs_at_once is not None and len(self._running) >= self.jobs_at_once):
            return False
        lease = self.leases.take(*self.smallest)
        if lease is not None:
            self.leases.give_back(lease)
        return lease is not None

    def places(self, cores: int, gpus: int) -> int:
        """How many tasks of so many cores and GPUs run at a time, at least one."""
        return max(1, min(self.leases.places_for(cores, gpus), self.jobs_at_once or sys.maxsize))

    def start(self, task: Task) -> None:
        """Starts a task as soon as its lease is free; tasks wait in order.

        Raises:
            RequestError: if the task needs more GPUs than there are.
        """
        known = len(self.leases.gpus)
        if task.gpus > known:
            raise RequestError(f"it needs {counted(task.gpus, 'GPU')}; this machine has {known or 'none'}")
        self._queue.append(task)
        self._start_queued()

    def wait(self, seconds: float) -> list[End]:
        """The tasks that have ended; returns as soon as one has, at the latest after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            self._collect()
            if self._ended or (left := deadline - time.monotonic()) <= 0:
                ended, self._ended = self._ended, []
                return ended
            self._sleep(left)

    def stop(self, task: Task) -> None:
        """Asks a task to save its state and to end; asked again, kills it. A waiting one never starts."""
        if task in self._queue:
            self._queue.remove(task)
            self._ended.append(End(task, 128 + signal.SIGINT))
            return
        place = self._running.get(task)
        if place is None:
            return
        place.stops += 1
        number = signal.SIGTERM if place.stops == 1 else signal.SIGKILL
        if place.process is not None:
            place.process.send_signal(number)
        elif place.server is not None:
            place.server.signal(place.child, number)

    def close(self) -> None:
        """Ends all tasks, which save their state, and the servers."""
        for task in [*self._queue, *self._running]:
            self.stop(task)
        deadline = time.monotonic() + SAVE_SECONDS
        while self._running and time.monotonic() < deadline:
            self.wait(1.0)
        for task in list(self._running):
            self.stop(task)
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _start_queued(self) -> None:
        while self._queue and (self.jobs_at_once is None or len(self._running) < self.jobs_at_once):
            lease = self.leases.take(self._queue[0].cores, self._queue[0].gpus)
            if lease is None:
                return
            task = self._queue.pop(0)
            try:
                self._running[task] = self._place(task, lease)
            except OSError as error:  # no process, no memory, no room for its console
                self.leases.give_back(lease)
                self._ended.append(End(task, 1, f"its process cannot be started: {error}"))

    def _place(self, task: Task, lease: Lease) -> _Place:
        settings = task.folder.configuration()["trainer"]
        how = {"resume": task.resume, "accept_changed_data": task.accept_changed_data}
        own = environment(settings)
        if task.gpus or lease.gpus:
            own["CUDA_VISIBLE_DEVICES"] = ",".join(lease.gpus)
        elif self.leases.gpus:
            own["CUDA_VISIBLE_DEVICES"] = ""
        command, console = self._command(task.folder, **how), task.folder.path / CONSOLE
        alone = settings.get("devices", 1) * settings.get("num_nodes", 1) == 1
        if self.warm and alone and not lease.gpus:
            server = self._server_for(own)
            arguments = command[command.index("-m") + 2 :]
            return _Place(lease, server=server, child=server.start(arguments, environment=own, console=console))
        with console.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=own,
                process_group=0,
                preexec_fn=dying_with(os.getpid()),
            )
        return _Place(lease, process=process)

    def _server_for(self, own: Mapping[str, str]) -> ForkServer:
        key, shared = _shared(own)
        server = self._servers.get(key)
        if server is not None and not server.alive:
            self._replaced.append(server)
            server = None
        if server is None:
            server = self._servers[key] = ForkServer(self._server, shared)
        return server

    def _collect(self) -> None:
        codes: dict[tuple[int, int], int] = {}
        dead = set()
        replaced, self._replaced = self._replaced, []
        for server in (*self._servers.values(), *replaced):
            alive = server.alive
            codes.update({(id(server), child): code for child, code in server.ended()})
            if not alive:
                dead.add(id(server))
        for task, place in list(self._running.items()):
            if place.process is not None:
                code = place.process.poll()
            else:
                code = codes.get((id(place.server), place.child))
            reason = ""
            if code is None and id(place.server) in dead:
                code, reason = -signal.SIGTERM, LOST_SERVER
            if code is None:
                continue
            del self._running[task]
            self.leases.give_back(place.lease)
            _forget_empty(task.folder)
            self._ended.append(End(task, code, reason))
        for server in replaced:
            server.close()
        self._start_queued()

    def _sleep(self, seconds: float) -> None:
        """Sleeps until a process ends or a server answers, at the latest after so many seconds."""
        descriptors = [os.pidfd_open(place.process.pid) for place in self._running.values() if place.process]
        try:
            servers = [server.descriptor for server in self._servers.values() if server.alive]
            select.select([*descriptors, *servers], [], [], seconds)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def _forget_empty(folder: RunFolder) -> None:
    console: Path = folder.path / CONSOLE
    if console.is_file() and console.stat().st_size == 0:
        console.unlink()
