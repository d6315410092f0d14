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
        with folder.rebuilding() as fresh:
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


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match=r"paths\.cache=.*file/cache: cannot be made"):
        CacheFolder(tmp_path / "file" / "cache", "name")
