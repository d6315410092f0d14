"""Jobs on Ray: on a cluster that runs, or on a Ray of its own on this machine.

All machines must see the same file system, and on it the same installation of s2s_lab, the same corpora and the same
outputs folder: what the launcher and a job exchange is the run folder. Each start of a job is one Ray task that holds
the job's cores and GPUs; the job itself is a child process of Ray's worker and ends with it. Ray never starts a task
again by itself, for the launcher resumes the run. When the launcher is killed, Ray kills its workers and with them the
jobs: each is resumed from its last checkpoint.
"""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.backends.base import End, Task
from s2s_lab.sweeps.backends.child import (
    CANCELLED,
    NODE_FAILED,
    OUT_OF_MEMORY,
    PREEMPTED,
    STOP_SECONDS,
    Ended,
    run_start,
    start_of,
)
from s2s_lab.sweeps.backends.options import PLACE, read_options

if TYPE_CHECKING:
    from ray import ObjectRef

DEFAULTS: dict[str, Any] = {"address": None, "cores": None, "gpus": None, "memory": None, "resources": None}
KINDS = {"address": "text", "cores": "count", "gpus": "count", "memory": "number", "resources": "mapping"}

VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a task without GPUs sees none
}
"""What Ray reads from the environment, where it is not set already."""

OWN_VARIABLES = {
    **VARIABLES,
    "RAY_AUTH_MODE": "token",  # Ray listens on all networks of the machine, and does what it is told there
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # else one is written into the user's home folder
}
"""The same for a Ray that is started here."""

OBJECT_STORE = 100_000_000  # bytes; next to nothing is handed over


@dataclass
class _Started:
    """A task that Ray has.

    Attributes:
        task: which one.
        result: the promise of how it ends.
        stops: how often it was asked to stop.
    """

    task: Task
    result: "ObjectRef[Ended]"
    stops: int = 0


class RayBackend:
    """Runs tasks on Ray.

    Args:
        options: `address` (of a running cluster, or auto; null starts a Ray on this machine, with `cores` and `gpus`,
            all of them where null), and for each job `memory` (GB that Ray counts for it) and `resources` (a mapping of
            names that the cluster has given its machines to amounts).
        jobs_at_once: how many may run at a time; null for as many as the cluster has cores and GPUs for.
        jobs_per_gpu: how many jobs of one GPU share one.

    Raises:
        RequestError: if Ray is missing or cannot be reached, or an option is unknown or wrong.
    """

    adopts = False

    def __init__(self, options: Mapping[str, Any], jobs_at_once: int | None, jobs_per_gpu: int = 1) -> None:
        self._options = read_options(options, DEFAULTS, KINDS)
        for name in ("cores", "gpus"):
            if self._options["address"] is not None and self._options[name] is not None:
                raise RequestError(
                    f"{PLACE}.{name}={self._options[name]}: is of a Ray of its own on this machine; expected null with "
                    f"{PLACE}.address={self._options['address']}"
                )
        self._jobs_at_once = jobs_at_once
        self._jobs_per_gpu = jobs_per_gpu
        self._started: list[_Started] = []
        self._needs = {"CPU": 1.0, "GPU": 0.0}
        self._held = contextlib.ExitStack()
        with contextlib.ExitStack() as held:
            held.enter_context(_set(VARIABLES if self._options["address"] else OWN_VARIABLES))
            try:
                import ray
            except ImportError:
                raise RequestError("jobs on Ray need it: pip install 's2s-lab[ray]'") from None
            if not ray.is_initialized():
                self._connect(held)
            self._ray = ray
            self._run = ray.remote(run_start)
            self._held = held.pop_all()

    def _connect(self, held: contextlib.ExitStack) -> None:
        import ray

        settings: dict[str, Any] = {"address": self._options["address"]}
        if settings["address"] is None:
            folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short: the paths of sockets have at most 107 letters
            held.callback(shutil.rmtree, folder, ignore_errors=True)
            settings = {
                "address": "local",
                "num_cpus": self._options["cores"] or len(os.sched_getaffinity(0)),
                "num_gpus": self._options["gpus"],
                "object_store_memory": OBJECT_STORE,
                "include_dashboard": False,
                "_temp_dir": folder,
            }
        else:
            _check_answers(settings["address"])
        handler = signal.getsignal(signal.SIGTERM)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(**settings, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
        except Exception as error:  # of many kinds
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise RequestError(
                f"Ray at {PLACE}.address={self._options['address']} cannot be used: {lines[0]}"
            ) from None
        held.callback(ray.shutdown)
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own, by which SIGTERM would end the launcher at once

    def has_room(self) -> bool:
        """Whether fewer than `jobs_at_once` run; where that is null, whether another one like the last would fit."""
        if self._jobs_at_once is not None:
            return len(self._started) < self._jobs_at_once
        whole = self._ray.cluster_resources()
        taken = {"CPU": 0.0, "GPU": 0.0}
        for started in self._started:
            for name, amount in self._amounts(started.task.cores, started.task.gpus).items():
                taken[name] += amount
        return all(taken[name] + amount <= whole.get(name, 0.0) + 1e-6 for name, amount in self._needs.items())

    def places(self, cores: int, gpus: int) -> int:
        """How many tasks of so many cores and GPUs the cluster, as it is now, runs at a time; at least one."""
        whole, needed = self._ray.cluster_resources(), self._amounts(cores, gpus)
        fitting = min(int((whole.get(name, 0.0) + 1e-6) // amount) for name, amount in needed.items() if amount)
        return max(1, fitting if self._jobs_at_once is None else min(fitting, self._jobs_at_once))

    def start(self, task: Task) -> None:
        """Hands a task to Ray, which queues it until a machine has room.

        Raises:
            RequestError: if no machine of the cluster will ever have room for it.
        """
        self._needs = self._amounts(task.cores, task.gpus)
        self._check_fits()
        memory = self._options["memory"]
        remote = self._run.options(
            num_cpus=self._needs["CPU"],
            num_gpus=self._needs["GPU"],
            memory=None if memory is None else int(memory * 2**30),
            resources=self._options["resources"] or None,
            max_retries=0,
            name=f"s2s_lab {task.folder.path.name}",
        )
        self._started.append(_Started(task, remote.remote(start_of(task))))

    def wait(self, seconds: float) -> list[End]:
        """Waits until a task has ended, at most so long."""
        if not self._started:
            time.sleep(seconds)
            return []
        results = [started.result for started in self._started]
        done, _ = self._ray.wait(results, num_returns=1, timeout=seconds)
        if done:  # others that have ended too
            done, _ = self._ray.wait(results, num_returns=len(results), timeout=0)
        ended = [started for started in self._started if started.result in done]
        self._started = [started for started in self._started if started.result not in done]
        return [self._end(started) for started in ended]

    def stop(self, task: Task) -> None:
        """Asks a task to save its state and to end (SIGTERM); asked again, kills it."""
        for started in self._started:
            if started.task == task:
                started.stops += 1
                self._ray.cancel(started.result, force=started.stops > 1)

    def close(self) -> None:
        """Stops all that still runs, waits for its end, after a minute kills it; then ends the Ray that it started."""
        with self._held:
            for _ in range(2):
                for started in self._started:
                    self.stop(started.task)
                deadline = time.monotonic() + STOP_SECONDS
                while self._started and time.monotonic() < deadline:
                    self.wait(1.0)

    def _amounts(self, cores: int, gpus: int) -> dict[str, float]:
        shared = gpus == 1 and self._jobs_per_gpu > 1
        return {"CPU": float(cores), "GPU": 1 / self._jobs_per_gpu if shared else float(gpus)}

    def _check_fits(self) -> None:
        """A cluster of fixed size never grows; one that grows is reached by its address."""
        if self._options["address"] is not None:
            return
        whole = self._ray.cluster_resources()
        for name, key in (("CPU", "cores"), ("GPU", "gpus")):
            if self._needs[name] > whole.get(name, 0.0) + 1e-6:
                raise RequestError(
                    f"a job asks for {self._needs[name]:g} {key}, and Ray has {whole.get(name, 0.0):g} on this machine"
                    f"; see hydra.launcher.{key}_per_job"
                )

    def _end(self, started: _Started) -> End:
        """How a task has ended, told by its worker or by Ray."""
        from ray import exceptions as errors

        task, stopped = started.task, started.stops > 0
        try:
            ended: Ended = self._ray.get(started.result)
        except errors.TaskCancelledError:
            return End(task, -signal.SIGTERM, CANCELLED)
        except errors.OutOfMemoryError:
            return End(task, -signal.SIGKILL, OUT_OF_MEMORY)
        except (errors.NodeDiedError, errors.LocalRayletDiedError, errors.RaySystemError):
            return End(task, -signal.SIGKILL, NODE_FAILED)
        except errors.RayTaskError as error:
            return End(task, 1, " ".join(str(error.cause).split()))
        except errors.RayError as error:  # its worker died
            first = next(iter(str(error).splitlines()), "")
            return End(
                task, -signal.SIGKILL, CANCELLED if stopped else f"its worker died ({type(error).__name__}: {first})"
            )
        if stopped:
            return End(task, ended.code, CANCELLED)
        if ended.asked:
            return End(task, ended.code, PREEMPTED)
        return End(task, ended.code, OUT_OF_MEMORY if ended.of_memory else "")


def _check_answers(address: str) -> None:
    """Finds out at once what Ray would try again and again for minutes: whether anybody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise RequestError(f"{PLACE}.address={address}: nobody answers there ({error})") from None


@contextlib.contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of the environment that are not set, and takes them back."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
