"""A checkpoint under its final name is whole, and no pickle is read."""

from pathlib import Path

import pytest
import torch

from s2s_lab.training.checkpoint_io import AtomicCheckpointIO


def test_round_trip(tmp_path: Path) -> None:
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(3), "step": 7}, tmp_path / "a" / "last.ckpt")
    found = AtomicCheckpointIO().load_checkpoint(tmp_path / "a" / "last.ckpt")
    assert found["step"] == 7
    assert torch.equal(found["weights"], torch.arange(3))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["last.ckpt"]


def test_a_failed_write_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": 1}, path)
    with pytest.raises((AttributeError, TypeError, RuntimeError)):
        AtomicCheckpointIO().save_checkpoint({"step": 2, "bad": lambda: None}, path)
    assert AtomicCheckpointIO().load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_pickled_object_is_refused(tmp_path: Path) -> None:
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    path = tmp_path / "evil.ckpt"
    torch.save({"evil": Evil()}, path)
    with pytest.raises(pickle.UnpicklingError):
        AtomicCheckpointIO().load_checkpoint(path)
