"""A run folder is held by one process at a time."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder


def test_one_folder_is_trained_in_by_one_process_at_a_time(tmp_path: Path) -> None:
    made = RunFolder(tmp_path)
    code = f"from pathlib import Path\nfrom s2s_lab.records.run_folder import RunFolder\n" \
        f"with RunFolder(Path({str(tmp_path)!r})).held(): print('held')\n"  # fmt: skip
    with made.held():
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another process is training in this folder" in other.stderr
    after = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert after.stdout == "held\n"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_to_is_refused(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(RequestError, match=f"cannot be written to .{os.strerror(number)}"), RunFolder(tmp_path).held():
        pass


def test_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be written to"), RunFolder(tmp_path / "gone").held():
        pass
