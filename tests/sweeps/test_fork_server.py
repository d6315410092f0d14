"""The fork server: each child is a process of its own, its end is told, and none outlives the server."""

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from s2s_lab.sweeps.fork_server import ForkServer

PROGRAM = [sys.executable, str(Path(__file__).with_name("fork_program.py"))]


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer(PROGRAM, os.environ)
    yield server
    server.close()
    assert not server.alive


def ends(server: ForkServer, count: int) -> dict[int, int]:
    found: dict[int, int] = {}
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        select.select([server.descriptor], [], [], 1.0)
        found.update(server.ended())
    return found


def until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_every_end_of_a_child_is_told(server: ForkServer, tmp_path: Path) -> None:
    expected = {}
    for arguments, code in ((["exit", "0"], 0), (["exit", "3"], 3), (["raise"], 1), (["kill"], -9), (["none"], 0)):
        expected[server.start(arguments, environment={}, console=tmp_path / "console")] = code
    assert ends(server, 5) == expected
    assert "ZeroDivisionError: told in the console" in (tmp_path / "console").read_text()


def test_children_have_their_own_environment_and_console(server: ForkServer, tmp_path: Path) -> None:
    for name in ("a", "b"):
        server.start(["say"], environment={"OWN": name}, console=tmp_path / name)
    ends(server, 2)
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["a\n", "b\n"]


def test_a_child_that_cannot_be_forked_has_failed_and_the_others_go_on(tmp_path: Path) -> None:
    server = ForkServer(PROGRAM, {**os.environ, "REFUSE": "1"})
    consoles = [tmp_path / name for name in "ab"]
    first, second = (server.start(["say"], environment={"OWN": "b"}, console=console) for console in consoles)
    assert ends(server, 2) == {first: 1, second: 0}
    assert "its process cannot be started: [Errno 11] Resource temporarily unavailable" in consoles[0].read_text()
    assert consoles[1].read_text() == "b\n"
    server.close()


def test_no_signal_is_lost_on_a_child_that_was_just_forked(tmp_path: Path) -> None:
    """Asked for before the server is ready, start and signal come right behind each other."""
    for _ in range(3):
        server = ForkServer(PROGRAM, os.environ)
        children = [server.start(["sleep"], environment={}, console=tmp_path / "console") for _ in range(4)]
        for child in children:
            server.signal(child, signal.SIGTERM)
        assert ends(server, 4) == dict.fromkeys(children, -signal.SIGTERM)
        server.close()
    assert not (tmp_path / "console").exists() or not (tmp_path / "console").read_text()


def test_a_signal_reaches_its_child_alone(server: ForkServer, tmp_path: Path) -> None:
    first, second = (
        server.start(["wait", str(tmp_path / name)], environment={}, console=tmp_path / "c") for name in "ab"
    )
    until(lambda: (tmp_path / "a").is_file() and (tmp_path / "b").is_file())
    server.signal(first, signal.SIGTERM)
    assert ends(server, 1) == {first: 130}
    server.signal(first, signal.SIGTERM)  # it has ended: nothing happens
    server.signal(second, signal.SIGKILL)
    assert ends(server, 1) == {second: -9}


@pytest.mark.parametrize("how", ["close", "kill"])
def test_children_end_with_the_server(tmp_path: Path, how: str) -> None:
    server = ForkServer(PROGRAM, os.environ)
    server.start(["wait", str(tmp_path / "pid")], environment={}, console=tmp_path / "c")
    until(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text() != "")
    pid = int((tmp_path / "pid").read_text())
    if how == "kill":
        server._process.kill()
    server.close()
    until(lambda: not alive(pid))
