"""Encoded sentence pairs in flat memory maps on disk, written as a stream."""

import json
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from s2s_lab.data.several import lengths_of
from s2s_lab.data.vocabulary import EOS

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")
FORMAT = 1
_META = "meta.json"
_FACTORS = "source.factors"
_TYPECODES = {"uint16": "H", "uint32": "I"}
_BUFFER = 1 << 16  # ids held before they are written


class DamagedError(ValueError):
    """Files of an encoded split do not match its meta.json."""


class EncodedSplit:
    """Ids of the sentence pairs of one split, read from disk where they are needed.

    The folder holds, for each side, SIDE.ids (all sentences one after the other, each ending with eos; uint16 or
    uint32) and SIDE.offsets (int64, sentences + 1), and meta.json. Several sources of a target are one sentence here,
    one source after the other, each ending with eos. Source tokens that carry factors have these in source.factors
    (uint32, those of one token after the other).

    Args:
        folder: written by SplitWriter.

    Raises:
        DamagedError: if a file is missing or its size differs from what meta.json says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open()

    def _open(self) -> None:
        meta = read_meta(self.folder)
        self._check_sizes(meta)
        dtype = np.dtype(meta["dtype"])
        self.ids = {side: np.memmap(self.folder / f"{side}.ids", dtype, mode="r") for side in SIDES}
        self.offsets = {side: np.memmap(self.folder / f"{side}.offsets", np.int64, mode="r") for side in SIDES}
        self.factors = None
        if self.num_factors:
            factors = np.memmap(self.folder / _FACTORS, np.uint32, mode="r")
            self.factors = factors.reshape(-1, self.num_factors)
        if any(int(self.offsets[side][-1]) != meta[f"{side}_tokens"] for side in SIDES):
            raise DamagedError(f"{self.folder}: the last offset differs from the number of tokens")
        lengths = {side: np.diff(self.offsets[side]).astype(np.int32) for side in SIDES}
        self.source_lengths, self.target_lengths = lengths["source"], lengths["target"]

    def _check_sizes(self, meta: dict[str, Any]) -> None:
        width = np.dtype(meta["dtype"]).itemsize
        self.num_factors = meta.get("factors", 0)
        for side in SIDES:
            expected = {"ids": meta[f"{side}_tokens"] * width, "offsets": (meta["sentences"] + 1) * 8}
            if side == "source" and self.num_factors:
                expected["factors"] = meta["source_tokens"] * self.num_factors * 4
            for suffix, size in expected.items():
                path = self.folder / f"{side}.{suffix}"
                found = path.stat().st_size if path.is_file() else None
                if found != size or not size:
                    raise DamagedError(f"{path}: {found} bytes, {size} expected")

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.folder = state["folder"]
        self._open()

    def __len__(self) -> int:
        return len(self.source_lengths)

    @property
    def num_sources(self) -> int:
        """Sources of each target; 1 of a split without sentences."""
        return len(lengths_of(self._sentence("source", 0))) if len(self) else 1

    def source(self, index: int) -> np.ndarray:
        """Ids of a source sentence, eos included: (source_len,); (source_len, 1 + factors) where there are factors."""
        words = self._sentence("source", index)
        if self.factors is None:
            return words
        start, end = self.offsets["source"][index : index + 2].tolist()
        return np.column_stack((words, self.factors[start:end]))

    def target(self, index: int) -> np.ndarray:
        """Ids of a target sentence, eos included: (target_len,)."""
        return self._sentence("target", index)

    def _sentence(self, side: Side, index: int) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(f"sentence {index} of {len(self)}")
        start, end = self.offsets[side][index : index + 2].tolist()
        return np.asarray(self.ids[side][start:end])


class SplitWriter:
    """Writes an encoded split as a stream, holding a small buffer only.

    Args:
        folder: exists and is empty.
        dtype: uint16 or uint32.
        num_factors: of each source token.
    """

    def __init__(self, folder: Path, dtype: str, num_factors: int = 0) -> None:
        self.folder, self.dtype, self.num_factors = folder, dtype, num_factors
        self._factors = array("I")
        self.sentences = 0
        self._totals = {side: 0 for side in SIDES}
        self._ids = {side: array(_TYPECODES[dtype]) for side in SIDES}
        self._offsets = {side: array("q", [0]) for side in SIDES}

    def add(
        self, source: Sequence[int], target: Sequence[int], eos: int = EOS, factors: Sequence[tuple[int, ...]] = ()
    ) -> None:
        """Takes a pair of id sequences without eos, and ends each with it; `factors` are of each source token."""
        if self.num_factors:
            for row in (*factors, (EOS,) * self.num_factors):
                self._factors.extend(row)
        for side, ids in zip(SIDES, (source, target), strict=True):
            buffer = self._ids[side]
            buffer.extend(ids)
            buffer.append(eos)
            self._totals[side] += len(ids) + 1
            self._offsets[side].append(self._totals[side])
            if len(buffer) >= _BUFFER:
                self._flush(side)
        self.sentences += 1

    def close(self) -> None:
        """Writes what is left, and meta.json."""
        for side in SIDES:
            self._flush(side)
        counts = {f"{side}_tokens": total for side, total in self._totals.items()}
        if self.num_factors:
            counts["factors"] = self.num_factors
        write_meta(self.folder, {"sentences": self.sentences, "dtype": self.dtype, **counts})

    def _flush(self, side: Side) -> None:
        for suffix, buffers in (("ids", self._ids), ("offsets", self._offsets)):
            with (self.folder / f"{side}.{suffix}").open("ab") as stream:
                buffers[side].tofile(stream)
            del buffers[side][:]
        if side == "source" and self.num_factors:
            with (self.folder / _FACTORS).open("ab") as stream:
                self._factors.tofile(stream)
            del self._factors[:]


def count_ids(folder: Path, side: Side, size: int) -> np.ndarray:
    """How often each id below `size` occurs in a written split: (size,) int64."""
    counts = np.zeros(size, np.int64)
    for chunk in _chunks(folder / f"{side}.ids", read_meta(folder)["dtype"]):
        counts += np.bincount(chunk, minlength=size)
    return counts


def recode(folder: Path, tables: dict[Side, np.ndarray], dtype: str) -> None:
    """Replaces every id of a written split by `tables[side][id]`, stored as `dtype`."""
    meta = read_meta(folder)
    for side in SIDES:
        path, fresh = folder / f"{side}.ids", folder / f"{side}.recoded"
        with fresh.open("wb") as stream:
            for chunk in _chunks(path, meta["dtype"]):
                tables[side][chunk].astype(dtype).tofile(stream)
        fresh.replace(path)
    write_meta(folder, {**meta, "dtype": dtype})


def dtype_for(*sizes: int) -> str:
    """The narrowest type that holds the ids of vocabularies of these sizes."""
    return "uint16" if max(sizes) <= 1 << 16 else "uint32"


def read_meta(folder: Path) -> dict[str, Any]:
    """Reads meta.json of an encoded split.

    Raises:
        DamagedError: if it is missing, unreadable, or of another format.
    """
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        if meta["format"] != FORMAT or meta["dtype"] not in _TYPECODES:
            raise DamagedError(f"{folder / _META}: another format")
        return meta
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{folder / _META}: {error}") from error


def write_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Writes meta.json of an encoded split."""
    (folder / _META).write_text(json.dumps({**meta, "format": FORMAT}) + "\n", encoding="utf-8")


def _chunks(path: Path, dtype: str, size: int = 1 << 20) -> Iterable[np.ndarray]:
    with path.open("rb") as stream:
        while len(chunk := np.fromfile(stream, dtype, size)):
            yield chunk
