"""A full disk and a lost run folder become one line that names the place."""

import errno
from pathlib import Path

import pytest

from s2s_lab.records.disk_faults import disk_fault, naming
from s2s_lab.records.run_folder import RunFolder, run_name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = RunFolder.create(tmp_path, "run")
    made.start({})
    return made.path


def test_a_write_without_a_name_gets_one(tmp_path: Path) -> None:
    """/dev/full is a real full disk; an error that has a name or no number keeps what it says."""
    full = tmp_path / "curves.csv"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: .*curves\.csv"):
        with naming(full), full.open("w") as file:
            file.write("x")
    with pytest.raises(OSError, match="nowhere"):
        with naming(full):
            (tmp_path / "nowhere").read_text()
    with pytest.raises(OSError, match=r"^odd$"):
        with naming(full):
            raise OSError("odd")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_found_among_the_causes(number: int, folder: Path) -> None:
    try:
        try:
            raise OSError(number, "no room", str(folder / "metrics.csv"))
        except OSError:
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 832 vs 726") from None
    except RuntimeError as error:
        found = disk_fault(error, folder)
    assert found is not None
    assert str(folder / "metrics.csv") in str(found)
    assert ("full" if number == errno.ENOSPC else "quota") in str(found)


def test_a_library_that_only_says_so_is_understood(folder: Path) -> None:
    error = ValueError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert f"{folder}: the disk is full" in str(disk_fault(error, folder))


def test_other_faults_are_left_alone_and_a_lost_folder_is_not(folder: Path) -> None:
    for error in (FileNotFoundError(errno.ENOENT, "no such file", "x"), ValueError("shape"), OSError("odd")):
        assert disk_fault(error, folder) is None
    (folder / "run.json").unlink()
    assert "is gone" in str(disk_fault(ValueError("anything"), folder))


def test_a_clock_that_goes_back_neither_ends_a_run_before_its_start_nor_gives_one_folder_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    from s2s_lab.records import run_folder

    now = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
    names = [run_name("a", now), run_name("a", now.replace(hour=7)), run_name("a", now)]
    made = [RunFolder.create(tmp_path, name) for name in names]
    assert len({run.path for run in made}) == 3
    monkeypatch.setattr(run_folder, "utc_now", lambda: "2026-11-21T08:00:00+00:00")
    made[0].start({})
    monkeypatch.setattr(run_folder, "utc_now", lambda: "2026-11-21T07:00:00+00:00")
    facts = made[0].finish("finished")
    assert facts["ended"] >= facts["started"]
