"""The ranks of a job, one process each: started together, watched together, ended together."""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

FAULT_SECONDS = 20.0
"""After one rank has failed, or rank 0 has ended, the others have this long to end by themselves."""

STOP_SECONDS = 60.0
"""After an interrupt the ranks have this long to save their state."""

OWN_RANK = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
WATCHED = "S2S_LAB_WATCHED"
LOST = 3


class End(NamedTuple):
    """How a rank ended.

    Attributes:
        rank: which one.
        code: its exit code, or minus the signal that killed it.
        forced: whether it had to be killed because it did not end with the others.
    """

    rank: int
    code: int
    forced: bool


def own_rank(environment: Mapping[str, str] = os.environ) -> int | None:
    """The rank of this process as Lightning's launcher, ours, torchrun or SLURM say; None where nobody does."""
    return next((int(environment[name]) for name in OWN_RANK if environment.get(name, "").isdecimal()), None)


def rank_variables(rank: int, ranks: int, port: int) -> dict[str, str]:
    """What a rank of several on this machine finds in its environment."""
    return {
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        WATCHED: "1",
    }


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ranks:
    """The processes of one job.

    Args:
        command: the program of every rank.
        environment: of every rank; several ranks find their number and their meeting point there too.
        count: number of ranks.
        before: what a rank runs before its program.
        started: the only rank, where it runs already.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        count: int,
        before: Callable[[], None],
        started: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        self.ended: list[End] = []
        self.stops = 0
        self._deadline: float | None = None
        self._killed: set[int] = set()
        port = free_port() if count > 1 else 0
        self.living: dict[int, subprocess.Popen[bytes]] = {} if started is None else {0: started}
        try:
            for rank in range(len(self.living), count):
                own = {"GLOO_SOCKET_IFNAME": "lo", **environment, **rank_variables(rank, count, port)}
                self.living[rank] = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,  # a group of the background that asks the terminal is stopped for ever
                    env=own if count > 1 else dict(environment),
                    process_group=0,
                    preexec_fn=before,
                )
        except BaseException:
            self._kill()
            raise

    def stop(self) -> None:
        """Asks all ranks to save their state and to end; asked again, kills them."""
        self.stops += 1
        if self.stops > 1:
            self._kill()
            return
        self._deadline = self._sooner(STOP_SECONDS)
        for process in self.living.values():
            process.send_signal(signal.SIGTERM)

    def wait(self) -> list[End]:
        """Waits until all ranks have ended, and kills those that do not end with the others.

        Returns:
            Their ends in the order they came.
        """
        while self.living:
            try:
                self._wait_for_one()
            except KeyboardInterrupt:
                self.stop()
        return self.ended

    def _wait_for_one(self) -> None:
        descriptors = [os.pidfd_open(process.pid) for process in self.living.values()]
        try:
            poll = select.poll()
            for descriptor in descriptors:
                poll.register(descriptor, select.POLLIN)
            poll.poll(200)  # milliseconds: a signal's handler may have set a deadline meanwhile
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        found = [End(rank, code, rank in self._killed) for rank, process in self.living.items()
                 if (code := process.poll()) is not None]  # fmt: skip
        for end in sorted(found, key=lambda end: (end.code >= 0, end.code in (0, LOST))):
            process = self.living.pop(end.rank)
            self.ended.append(end)
            if end.code or end.rank == 0:
                self._deadline = self._sooner(FAULT_SECONDS)
            if len(self.ended) + len(self.living) > 1:
                _kill_group(process.pid)  # its loader's workers
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._kill()

    def _sooner(self, seconds: float) -> float:
        new = time.monotonic() + seconds
        return new if self._deadline is None else min(new, self._deadline)

    def _kill(self) -> None:
        for rank, process in self.living.items():
            self._killed.add(rank)
            _kill_group(process.pid)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
