"""Laws of a cache folder: whole or absent, whatever happens."""

import os
from pathlib import Path

import pytest

from s2s_lab.data.cache import CacheFolder
from s2s_lab.faults import RequestError


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_the_folder_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "cache", "name")
    with folder.rebuilding() as fresh:
        (fresh / "file").write_text("1")
        assert not folder.path.exists()
    assert contents(tmp_path / "cache") == {"name"}
    assert contents(folder.path) == {"file"}


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, "name")
    with folder.rebuilding() as fresh:
        (fresh / "old").write_text("1")
    with pytest.raises(RuntimeError, match="half way"), folder.rebuilding() as fresh:
        (fresh / "new").write_text("1")
        raise RuntimeError("half way")
    assert contents(tmp_path) == {"name"}
    assert contents(folder.path) == {"old"}


def test_a_rebuilt_folder_takes_the_place_of_the_old_and_leftovers_of_killed_processes_go(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, "name")
    (tmp_path / ".name.making-dead").mkdir()
    for content in ("old", "new"):
        with folder.locked(), folder.rebuilding() as fresh:
            (fresh / content).write_text("1")
    assert contents(tmp_path) == {"name"}
    assert contents(folder.path) == {"new"}


def test_a_lock_keeps_a_second_process_waiting(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, "name")
    read, write = os.pipe()
    with folder.locked():
        child = os.fork()
        if not child:
            with folder.locked():
                os.write(write, b"in")
            os._exit(0)
        os.set_blocking(read, False)
        with pytest.raises(BlockingIOError):
            os.read(read, 2)
    os.waitpid(child, 0)
    assert os.read(read, 2) == b"in"
    os.close(read)
    os.close(write)


def test_where_there_are_no_locks_nobody_removes_what_another_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    one, other = CacheFolder(tmp_path, "name"), CacheFolder(tmp_path, "name")
    with one.locked(), one.rebuilding() as first:
        (first / "file").write_text("1")
        with other.locked(), other.rebuilding() as second:
            (second / "file").write_text("2")
        assert (first / "file").read_text() == "1" and (one.path / "file").read_text() == "2"
    assert contents(tmp_path) == {"name"} and (one.path / "file").read_text() == "1"


def test_a_parent_that_is_only_to_be_read_is_no_obstacle_until_something_must_be_made() -> None:
    folder = CacheFolder(Path("/proc/self"), "name")
    with folder.locked(), pytest.raises(RequestError, match=r"paths\.cache=/proc/self: cannot be written to"):
        folder.rebuilding().__enter__()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match=r"paths\.cache=.*file/cache: cannot be made"):
        CacheFolder(tmp_path / "file" / "cache", "name")
