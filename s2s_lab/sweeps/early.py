"""A job's process that loads what every job needs while its own configuration is still being checked."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from s2s_lab.sweeps.process import PROGRAM, dying_with, environment


class EarlyJob:
    """A process that waits to be told its words.

    Args:
        trainer: the job's `trainer` section, which decides the process's environment.
    """

    def __init__(self, trainer: Mapping[str, Any]) -> None:
        self._environment = environment(trainer)
        self._process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, "--wait"],
            stdin=subprocess.PIPE,
            env=self._environment,
            process_group=0,
            preexec_fn=dying_with(os.getpid()),
        )

    def take(self, words: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes] | None":
        """Turn it into the job of these words of `s2s_lab.job`; None where it cannot be, and then it is ended.

        Args:
            words: as on the command line.
            environment: that the job is to have; what libraries have added to it since does not count.
        """
        assert self._process.stdin is not None
        if self._environment.items() <= environment.items():
            try:
                self._process.stdin.write(json.dumps(list(words)).encode() + b"\n")
                self._process.stdin.close()
                return self._process
            except OSError:  # it has ended
                pass
        self.close()
        return None

    def close(self) -> None:
        """End it without a job."""
        self._process.kill()
        self._process.communicate()


def wait_for_words(run: Callable[[Sequence[str]], None]) -> None:
    """Run the words that come on standard input, which is then closed; nothing where it ends without any.

    Args:
        run: takes them.
    """
    line = sys.stdin.buffer.readline()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if line.endswith(b"\n"):
        run(json.loads(line))
