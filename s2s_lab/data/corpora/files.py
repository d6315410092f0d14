"""Corpora in files: streaming lines, aligned text files, tab-separated files, and the checks on them."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar, cast

from s2s_lab.data.corpora.base import Corpus, Pair
from s2s_lab.data.several import SEPARATOR, join_sources
from s2s_lab.faults import RequestError

Value = TypeVar("Value")


def read_lines(path: Path) -> Iterator[str]:
    """Lines of a UTF-8 text file, plain or .gz, without their line ends (LF or CR LF), otherwise as they are.

    A byte order mark at the beginning of the file is no text.

    Raises:
        RequestError: naming file and line, if the file cannot be read, is empty, is no gzip, or is not UTF-8.
    """
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, start=1):
                yield _decode(path, number, raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RequestError(f"{path}, after line {number}: not a whole gzip file ({error})") from error
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror or error})") from error
    if number == 0:
        raise RequestError(f"{path}: the file is empty; at least one line is expected")


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _decode(path: Path, number: int, raw: bytes) -> str:
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        value = raw[error.start]
        raise RequestError(
            f"{path}, line {number}: not valid UTF-8 (byte 0x{value:02x} at position {error.start + 1})"
        ) from error


def values_of(node: Mapping[str, Value | None] | None) -> dict[str, Value]:
    """What is given of a split's node: keys whose value is not None."""
    return {key: value for key, value in (node or {}).items() if value is not None}


def find_file(split: str, key: str, value: str, root: str | None) -> Path:
    """The file that `data.SPLIT.KEY` names, relative to the current folder, or to `root`.

    Raises:
        RequestError: if there is no such file, or something else of that name.
    """
    found = [folder / value for folder in (Path(), *([Path(root)] if root else [])) if (folder / value).exists()]
    for path in found:
        if path.is_file():
            return path.absolute()
    named = f"data.{split}.{key}={value}"
    if found:
        raise RequestError(f"{named}: {found[0]} is no file")
    if Path(value).is_absolute():
        raise RequestError(f"{named}: no such file")
    places = "the current folder" + (f" and paths.data={root}" if root else "; say paths.data=DIR for another")
    raise RequestError(f"{named}: no such file, looked for in {places}")


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes.

    Raises:
        RequestError: if it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror or error})") from error


def existing(path: Path, *, root: str | None, hint: str) -> Path:
    """The file at `path`, or its .gz, or (for a .gz) its unpacked form, whichever exists.

    Args:
        path: the file that is expected.
        root: the value of paths.data, to tell an unset folder from a wrong one.
        hint: what DIR of `paths.data=DIR` is, for the message.

    Raises:
        RequestError: if none of them exists, naming the file and `paths.data=DIR`.
    """
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(path.name + ".gz")
    for candidate in (path, other):
        if candidate.is_file():
            return candidate
    state = "paths.data is not set" if not root else f"paths.data is {root}"
    raise RequestError(f"{path}: no such file; say paths.data=DIR, {hint} ({state})")


@dataclass(frozen=True)
class AlignedFiles:
    """Two text files, aligned line by line."""

    source: Path
    target: Path

    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return self.source, self.target

    def stream(self) -> Iterator[Pair]:
        """Pairs of lines.

        Raises:
            RequestError: if a file is wrong or their numbers of lines differ.
        """
        sources, targets = read_lines(self.source), read_lines(self.target)
        number = 0
        for source in sources:
            target = next(targets, None)
            if target is None:
                self._unequal(number + 1 + sum(1 for _ in sources), number)
            else:
                number += 1
                yield source, target
        surplus = sum(1 for _ in targets)
        if surplus:
            self._unequal(number, number + surplus)

    def _unequal(self, sources: int, targets: int) -> None:
        raise RequestError(
            f"{self.source} has {sources} lines but {self.target} has {targets}: equal numbers are expected "
            f"(line {min(sources, targets) + 1} has no partner)"
        )


@dataclass(frozen=True)
class AlignedSources:
    """Several text files of sources and one of targets, aligned line by line."""

    sources: tuple[Path, ...]
    target: Path

    def paths(self) -> tuple[Path, ...]:
        """The files, that of the targets last."""
        return *self.sources, self.target

    def stream(self) -> Iterator[Pair]:
        """Pairs of lines, the sources separated by tabs.

        Raises:
            RequestError: if a file is wrong, a source holds a tab, or their numbers of lines differ.
        """
        aligned = [AlignedFiles(source, self.target).stream() for source in self.sources]
        for number, pairs in enumerate(zip(*aligned, strict=True), start=1):
            for path, (source, _) in zip(self.sources, pairs, strict=True):
                if SEPARATOR in source:
                    raise RequestError(
                        f"{path}, line {number}: a tab, which separates sources; text without is expected"
                    )
            yield join_sources([source for source, _ in pairs]), pairs[0][1]


@dataclass(frozen=True)
class TabSeparatedFile:
    """One file with its sources, mostly one, and a target on each line, separated by tabs."""

    path: Path
    num_sources: int = 1

    def paths(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    def stream(self) -> Iterator[Pair]:
        """Pairs of lines.

        Raises:
            RequestError: if the file is wrong or a line has more or fewer columns.
        """
        expected = "source, one tab and target are expected"
        if self.num_sources > 1:
            expected = f"{self.num_sources} sources and a target are expected, separated by tabs"
        for number, line in enumerate(read_lines(self.path), start=1):
            *sources, target = line.split(SEPARATOR)
            if len(sources) != self.num_sources:
                raise RequestError(f"{self.path}, line {number}: {len(sources) + 1} columns; {expected}")
            yield join_sources(sources), target


Files = AlignedFiles | AlignedSources | TabSeparatedFile


class FileCorpus(Corpus):
    """A corpus whose splits lie in files.

    Args:
        files: by split name: train, validation, then the test sets.
        source: language or label of the source side.
        target: language or label of the target side.
        num_sources: sources of each target, in all files.

    Attributes:
        names_tell_sides: whether the name of a file says which side of a split it is.
    """

    names_tell_sides = True

    def __init__(self, *, files: Mapping[str, Files], source: str, target: str, num_sources: int = 1) -> None:
        self._files = dict(files)
        self.source, self.target, self.num_sources = source, target, num_sources

    def splits(self) -> tuple[str, ...]:
        """Names of the splits, train and validation first."""
        return tuple(self._files)

    def stream(self, split: str) -> Iterator[Pair]:
        """Reads the pairs of a split once."""
        return self._files[split].stream()

    def place(self, split: str, number: int, source: int = 0) -> str:
        """File and line of a pair's source."""
        paths = self._files[split].paths()
        return f"{paths[min(source, len(paths) - 1)]}, line {number}"

    def fingerprint(self) -> dict[str, str]:
        """sha256 of each file, by split and file name, and by its place where that does not follow from the name."""
        named = self.names_tell_sides and self.num_sources == 1
        return {
            f"{split}/{path.name if named else f'{place} {path.name}'}": sha256_of(path)
            for split, files in self._files.items()
            for place, path in enumerate(files.paths(), start=1)
        }
