"""A fork server whose children do what their arguments say."""

import errno
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from s2s_lab.sweeps.fork_server import serve


def run(arguments: Sequence[str]) -> None:
    what, *rest = arguments
    if what == "say":
        print(os.environ.get("OWN", "nothing"), flush=True)
        print(sys.stdin.read(), end="", file=sys.stderr)
    elif what == "exit":
        sys.exit(int(rest[0]))
    elif what == "raise":
        raise ZeroDivisionError("told in the console")
    elif what == "sleep":
        time.sleep(60)
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "wait":
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(130))
        Path(rest[0]).write_text(str(os.getpid()))
        time.sleep(600)


def refuse_first_fork() -> None:
    """As a system without memory for another process does."""
    fork = os.fork

    def refused() -> int:
        os.fork = fork
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    os.fork = refused


if __name__ == "__main__":
    if "REFUSE" in os.environ:
        refuse_first_fork()
    serve(run)
