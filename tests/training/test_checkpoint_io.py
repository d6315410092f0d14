"""A checkpoint under its final name is whole, its seal tells of every change, and no pickle is read."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.faults import RequestError, RunError
from s2s_lab.training.checkpoint_io import (
    SCHEMA,
    AtomicCheckpointIO,
    DamagedCheckpointError,
    newest_good,
    read_checkpoint,
)


def save(path: Path, **values: Any) -> None:
    AtomicCheckpointIO().save_checkpoint(values, path)


def test_round_trip(tmp_path: Path) -> None:
    save(tmp_path / "a" / "last.ckpt", weights=torch.arange(3), step=7)
    found = AtomicCheckpointIO().load_checkpoint(tmp_path / "a" / "last.ckpt")
    assert found["step"] == 7 and found["schema"] == SCHEMA
    assert torch.equal(found["weights"], torch.arange(3))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["last.ckpt"]


def test_torch_reads_a_sealed_checkpoint_too(tmp_path: Path) -> None:
    save(tmp_path / "last.ckpt", weights=torch.arange(3))
    assert torch.equal(torch.load(tmp_path / "last.ckpt", weights_only=True)["weights"], torch.arange(3))


def test_the_last_one_becomes_the_previous_one(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path / "last.ckpt", step=step)
        save(tmp_path / "best.ckpt", step=10 * step)
    assert [read_checkpoint(tmp_path / name)["step"] for name in ("last.ckpt", "previous.ckpt", "best.ckpt")] == [
        3,
        2,
        30,
    ]


def test_a_failed_write_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    save(path, step=1)
    with pytest.raises((AttributeError, TypeError, RuntimeError)):
        save(path, step=2, bad=lambda: None)
    assert read_checkpoint(path)["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_told_and_leaves_the_older_checkpoint(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    save(path, step=1)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(RunError, match=r"last.ckpt: cannot be written \(No space left on device\)"):
        save(path, step=2)
    monkeypatch.undo()
    assert read_checkpoint(path)["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_every_changed_byte_and_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    save(path, weights=torch.arange(5), step=7)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(DamagedCheckpointError):
            read_checkpoint(path)
    for size in range(0, len(content), 11):
        path.write_bytes(content[:size])
        with pytest.raises(DamagedCheckpointError):
            read_checkpoint(path)


def test_the_newest_whole_one_is_found(tmp_path: Path) -> None:
    assert newest_good(tmp_path) == (None, False, False, [])
    for continuation in (None, {}):
        save(tmp_path / "last.ckpt", continuation=continuation)
    assert newest_good(tmp_path) == (tmp_path / "last.ckpt", True, False, [])
    (tmp_path / "last.ckpt").write_bytes(b"PK")
    path, exact, _, (fault,) = newest_good(tmp_path)
    assert path == tmp_path / "previous.ckpt" and not exact and str(tmp_path / "last.ckpt") in fault


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    torch.save({"schema": SCHEMA + 1}, tmp_path / "last.ckpt")
    with pytest.raises(RequestError, match="newer"):
        newest_good(tmp_path)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save([1], tmp_path / "last.ckpt")
    with pytest.raises(DamagedCheckpointError):
        read_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(RequestError, match="no such file"):
        read_checkpoint(tmp_path / "best.ckpt")


def test_a_pickled_object_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    path = tmp_path / "evil.ckpt"
    torch.save({"evil": Evil()}, path)
    with pytest.raises(DamagedCheckpointError, match="more than tensors"):
        AtomicCheckpointIO().load_checkpoint(path)
    assert "executed" not in capsys.readouterr().out
