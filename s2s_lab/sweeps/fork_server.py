"""A process that has everything loaded and forks one fresh child for each small job, which then starts at once.

The server is one thread. It reads one request a line (JSON) from its standard input and writes one answer a line to its
standard output. Requests: {"start": number, "arguments": [...], "environment": {...}, "console": path} and {"signal":
number, "of": number}. Answers: {"ready": true} once it has loaded, {"ended": number, "code": exit code}. It ends with
its standard input, after its children.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2s_lab.sweeps.process import die_with, dying_with

LAST_SECONDS = 60.0
"""Children have this long to save their state when the server ends."""


def serve(run: Callable[[Sequence[str]], None]) -> None:
    """Serves requests until standard input ends; called once all that children need is loaded.

    Args:
        run: what a child does with its arguments; its SystemExit is the exit code.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints here is no answer
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: dict[int, int] = {}  # process -> number of the request
    _answer(answers, {"ready": True})
    requests = b""
    try:
        while True:
            ready, _, _ = select.select([0, woken], [], [])
            if woken in ready:
                os.read(woken, 4096)
                _reap(children, answers)
            if 0 in ready:
                text = os.read(0, 65536)
                if not text:
                    return
                *lines, requests = (requests + text).split(b"\n")
                for line in lines:
                    _obey(json.loads(line), children, answers, run, [woken, wake, answers.fileno()])
    finally:
        _end_children(children)


def _obey(
    request: Mapping[str, Any],
    children: dict[int, int],
    answers: Any,
    run: Callable[[Sequence[str]], None],
    descriptors: Sequence[int],
) -> None:
    if "start" in request:
        server = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the child has let go of the server's handler
        try:
            process = os.fork()
        except OSError as error:  # no memory, or too many processes: it costs this child alone
            with contextlib.suppress(OSError), Path(request["console"]).open("a", encoding="utf-8") as console:
                console.write(f"its process cannot be started: {error}\n")
            _answer(answers, {"ended": request["start"], "code": 1})
        else:
            if process == 0:
                _be_child(request, run, descriptors, server)
            children[process] = request["start"]
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return
    for process, number in children.items():
        if number == request["of"]:
            os.kill(process, request["signal"])  # not reaped yet, so nobody else has this number


def _be_child(
    request: Mapping[str, Any], run: Callable[[Sequence[str]], None], descriptors: Sequence[int], server: int
) -> None:
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        die_with(server)
        for descriptor in descriptors:
            os.close(descriptor)
        _redirect(Path(request["console"]))
        os.environ.clear()
        os.environ.update(request["environment"])
        run(request["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(console: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    os.close(output)


def _reap(children: dict[int, int], answers: Any) -> None:
    for process in list(children):
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            _answer(answers, {"ended": children.pop(process), "code": os.waitstatus_to_exitcode(status)})


def _answer(answers: Any, answer: Mapping[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _end(number: int, frame: Any) -> None:
    raise SystemExit(0)


def _end_children(children: Mapping[int, int]) -> None:
    """Asks all children to save their state, and kills those that do not end in time."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    waiting, deadline = set(children), time.monotonic() + LAST_SECONDS
    for process in waiting:
        os.kill(process, signal.SIGTERM)
    while waiting and time.monotonic() < deadline:
        waiting -= {process for process in waiting if os.waitpid(process, os.WNOHANG)[0]}
        time.sleep(0.02)
    for process in waiting:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


class ForkServer:
    """The other end: a fork server as its launcher sees it.

    Args:
        command: the program that loads everything and calls `serve`.
        environment: of the server; its children get their own.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},  # a pool of threads cannot be forked
            process_group=0,
            preexec_fn=dying_with(os.getpid()),
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._text = b""
        self._number = 0

    @property
    def descriptor(self) -> int:
        """Readable when there may be answers."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process.poll() is None

    def start(self, arguments: Sequence[str], *, environment: Mapping[str, str], console: Path) -> int:
        """Forks a child that runs with these arguments.

        Args:
            arguments: of the child's program.
            environment: of the child, whole.
            console: file for what the child prints, appended to.

        Returns:
            The number by which the child is known.

        Raises:
            BrokenPipeError: if the server has ended.
        """
        self._number += 1
        self._ask(
            {
                "start": self._number,
                "arguments": list(arguments),
                "environment": dict(environment),
                "console": str(console),
            }
        )
        return self._number

    def signal(self, child: int, number: int) -> None:
        """Sends a signal to a child; nothing happens when it has ended."""
        with contextlib.suppress(BrokenPipeError):
            self._ask({"signal": number, "of": child})

    def ended(self) -> list[tuple[int, int]]:
        """The children that have ended since the last call, with their exit codes (minus the signal)."""
        with contextlib.suppress(BlockingIOError):
            while text := os.read(self.descriptor, 65536):
                self._text += text
        *lines, self._text = self._text.split(b"\n")
        answers = [json.loads(line) for line in lines]
        return [(answer["ended"], answer["code"]) for answer in answers if "ended" in answer]

    def close(self) -> None:
        """Ends the server and its children."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(LAST_SECONDS + 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
