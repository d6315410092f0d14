"""Checkpoint files: whole or absent, sealed with a checksum, without any pickle, of a known schema."""

import contextlib
import hashlib
import os
import pickle
import struct
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.durable import sync_folder

SCHEMA = 2
BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
NEWEST_FIRST = (LAST, PREVIOUS, BEST)
SEAL = b"sha256:"
SEAL_SIZE = len(SEAL) + 64
COMMENT_LENGTH = struct.Struct("<H")  # the field that ends a zip archive without a comment
BLOCK = 1 << 20


class DamagedCheckpointError(RequestError):
    """A checkpoint that is cut short or altered."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """A file under its final name is always a whole checkpoint.

    Written under a temporary name, synced and renamed. The checksum is the comment of the zip archive that a checkpoint
    is, so that both appear at once. What was last.ckpt becomes previous.ckpt.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes a checkpoint of plain containers and tensors.

        Args:
            checkpoint: what torch.save takes.
            path: final name.
            storage_options: not used.

        Raises:
            RunError: if it cannot be written, for example on a full disk; what was there before is still there.
        """
        final = Path(path)
        temporary = final.with_name(f".{final.name}.{os.getpid()}.part")
        try:
            final.parent.mkdir(exist_ok=True)
            with temporary.open("w+b") as file:
                torch.save({**checkpoint, "schema": SCHEMA}, file)
                _seal(file)
                file.flush()
                os.fsync(file.fileno())
            if final.name == LAST and final.exists():
                os.replace(final, final.with_name(PREVIOUS))
            os.replace(temporary, final)
            sync_folder(final.parent)
        except (OSError, RuntimeError) as error:  # torch tells of a failed write by a RuntimeError
            reason = error.strerror if isinstance(error, OSError) else _write_fault(error)
            raise RunError(f"{final}: cannot be written ({reason}); the last good checkpoint is kept") from error
        finally:
            temporary.unlink(missing_ok=True)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Reads a checkpoint; see `read_checkpoint`."""
        return read_checkpoint(Path(path), map_location or "cpu")


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Reads a checkpoint of this schema or an earlier one; only plain containers and tensors are accepted.

    Args:
        path: the file.
        map_location: where its tensors go, as in torch.load.

    Raises:
        DamagedCheckpointError: if it is cut short or altered.
        RequestError: if it is missing or of a newer schema.
    """
    if not path.is_file():
        raise RequestError(f"{path}: no such file; a checkpoint was expected")
    sealed = is_sealed(path)
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        reason = "it holds more than tensors and plain containers" if "Unsupported" in str(error) else "it is damaged"
        raise DamagedCheckpointError(f"{path}: not a checkpoint that may be read ({reason})") from error
    except Exception as error:
        raise DamagedCheckpointError(f"{path}: not a readable checkpoint ({_first_line(error)})") from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("schema", 1), int):
        raise DamagedCheckpointError(f"{path}: not a checkpoint of s2s_lab")
    if checkpoint.get("schema") == SCHEMA and not sealed:
        raise DamagedCheckpointError(f"{path}: it was altered after it was written (its checksum is gone)")
    return migrate(checkpoint, path)


def is_sealed(path: Path) -> bool:
    """Whether a checkpoint has a seal, which is checked; checkpoints of schema 1 have none.

    Raises:
        DamagedCheckpointError: if its content is not what was written.
    """
    tail = COMMENT_LENGTH.size + SEAL_SIZE
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - tail))
        found = file.read()
        if SEAL not in found:
            return False
        digest = _digest(file, size - tail)
    if found != COMMENT_LENGTH.pack(SEAL_SIZE) + SEAL + digest.encode():
        raise DamagedCheckpointError(f"{path}: it was altered after it was written (its checksum differs)")
    return True


def migrate(checkpoint: dict[str, Any], path: Path) -> dict[str, Any]:
    """Brings a checkpoint of an earlier schema to the present one.

    Schema 1 held no random state, no position in the data and no curves: a training goes on from it, but not exactly.

    Raises:
        RequestError: if its schema is newer than this.
    """
    schema = checkpoint.get("schema", 1)
    if schema > SCHEMA:
        raise RequestError(f"{path}: schema {schema} is newer than this s2s_lab reads ({SCHEMA}); update s2s_lab")
    if schema == 1:
        checkpoint = {**checkpoint, "schema": SCHEMA, "continuation": None, "bad_batches": {"skipped": 0}}
        checkpoint["callbacks"] = {
            key.replace("ModelCheckpoint", "BestCheckpoint", 1): state
            for key, state in checkpoint["callbacks"].items()
            if "'monitor': None" not in key
        }
    return checkpoint


class Newest(NamedTuple):
    """The newest checkpoint of a folder that is whole.

    Attributes:
        path: of the file, or None if there is none.
        exact: whether a training goes on from it as if it had never stopped.
        has_best: whether it was written with a best checkpoint beside it.
        faults: what is wrong with each newer one.
    """

    path: Path | None
    exact: bool
    has_best: bool
    faults: list[str]


def newest_good(folder: Path) -> Newest:
    """Finds the newest checkpoint of a folder that is whole.

    Raises:
        RequestError: if one is of a newer schema.
    """
    faults = []
    for path in (folder / name for name in NEWEST_FIRST):
        if path.is_file():
            try:
                found = read_checkpoint(path)
            except DamagedCheckpointError as error:
                faults.append(str(error))
            else:
                kept = (state for key, state in found.get("callbacks", {}).items() if "BestCheckpoint" in key)
                has_best = any(state["best_model_path"] for state in kept)
                return Newest(path, found["continuation"] is not None, has_best, faults)
    return Newest(None, False, False, faults)


def best_fault(folder: Path) -> str | None:
    """Looks at the best checkpoint, and renames one that is damaged, so that a training does not end with it.

    Several ranks may do so at once.

    Args:
        folder: of checkpoints.

    Returns:
        What is wrong with it; None where it is whole.
    """
    best = folder / BEST
    try:
        if not is_sealed(best):
            read_checkpoint(best)
    except FileNotFoundError:
        return f"{best}: it is gone"
    except DamagedCheckpointError as error:
        with contextlib.suppress(FileNotFoundError):
            best.rename(best.with_suffix(".damaged"))
        return str(error)
    return None


def _seal(file: Any) -> None:
    """Makes the digest of all bytes before the comment's length the comment of the archive."""
    end = file.seek(0, os.SEEK_END) - COMMENT_LENGTH.size
    seal = SEAL + _digest(file, end).encode()
    file.seek(end)
    file.write(COMMENT_LENGTH.pack(len(seal)) + seal)


def _digest(file: Any, size: int) -> str:
    digest, left = hashlib.sha256(), size
    file.seek(0)
    while left > 0 and (block := file.read(min(BLOCK, left))):
        digest.update(block)
        left -= len(block)
    return digest.hexdigest()


def _write_fault(error: BaseException) -> str:
    """The system's own reason where torch's writer hid it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
