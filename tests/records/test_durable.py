"""Files appear whole or not at all, and hold strict JSON."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import plain, read_json, write_bytes, write_durably, write_json


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    value = {"text": "Grüße \u2028 </script>", "numbers": [1, 2.5, True, None], "nested": {"a": []}}
    write_json(tmp_path / "f.json", value)
    assert read_json(tmp_path / "f.json") == value


def test_numpy_paths_and_numbers_that_are_not_finite_become_plain() -> None:
    value = plain({"a": np.float32(0.5), "b": np.arange(3), 3: float("nan"), "p": Path("x"), "s": {2, 1}, "t": (1,)})
    assert value == {"a": 0.5, "b": [0, 1, 2], "3": None, "p": "x", "s": [1, 2], "t": [1]}
    assert plain(np.array([np.inf, 1.0])) == [None, 1.0]
    json.dumps(value, allow_nan=False)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        plain({"a": object()})


def test_bytes_take_the_place_of_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.bin"
    write_bytes(path, b"old")
    write_bytes(path, b"\x00new")
    assert path.read_bytes() == b"\x00new"

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            write_bytes(path, b"half")
    assert path.read_bytes() == b"\x00new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_durably(path, lambda file: file.write("old"))

    def fail(file) -> None:
        file.write("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_durably(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_get_the_users_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_json(tmp_path / "ours", {})
    assert os.stat(tmp_path / "ours").st_mode == os.stat(tmp_path / "plain").st_mode


@pytest.mark.parametrize(
    ("content", "message"), [(b"{\n oops", "line 2: not valid JSON"), (b'"\xff"', "not valid UTF-8 at byte 1")]
)
def test_unreadable_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "f.json").write_bytes(content)
    with pytest.raises(RequestError, match=f"f.json.*{message}"):
        read_json(tmp_path / "f.json")
    with pytest.raises(RequestError, match=r"nowhere\.json: no such file"):
        read_json(tmp_path / "nowhere.json")
