"""Laws of reading files: every form gives the same pairs, every fault names file and line."""

import gzip
from pathlib import Path

import pytest

from s2s_lab.data.corpora.files import AlignedFiles, TabSeparatedFile, read_lines, sha256_of
from s2s_lab.faults import RequestError

PAIRS = [
    ("Ein Mann.", "A man."),
    ("", "Empty source"),
    (" zwei  Hunde ", "two\u2028dogs\x0bhere"),
    ("über\x85", "é\xa0"),
]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_aligned_and_tab_separated_files_plain_or_gzipped_give_the_same_pairs(
    tmp_path: Path, suffix: str, end: str
) -> None:
    source = write(tmp_path / f"s{suffix}", "".join(pair[0] + end for pair in PAIRS).encode())
    target = write(tmp_path / f"t{suffix}", "".join(pair[1] + end for pair in PAIRS).encode())
    table = write(tmp_path / f"b{suffix}", "".join(f"{s}\t{t}{end}" for s, t in PAIRS).encode())
    assert list(AlignedFiles(source, target).stream()) == PAIRS
    assert list(TabSeparatedFile(table).stream()) == PAIRS


def test_a_last_line_needs_no_line_end(tmp_path: Path) -> None:
    assert list(read_lines(write(tmp_path / "f", b"one\ntwo"))) == ["one", "two"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_empty_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"empty{suffix}", b"")
    with pytest.raises(RequestError, match=rf"empty{suffix}: the file is empty"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_invalid_utf8_is_named_with_file_line_byte_and_position(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"bad{suffix}", b"good\nb\xffd\n")
    with pytest.raises(RequestError, match=rf"bad{suffix}, line 2: not valid UTF-8 \(byte 0xff at position 2\)"):
        list(read_lines(path))


@pytest.mark.parametrize(("sources", "targets"), [(3, 5), (5, 3)])
def test_unequal_numbers_of_lines_name_both_files_both_counts_and_the_line(
    tmp_path: Path, sources: int, targets: int
) -> None:
    files = AlignedFiles(write(tmp_path / "s", b"x\n" * sources), write(tmp_path / "t", b"y\n" * targets))
    with pytest.raises(RequestError, match=rf"/s has {sources} lines but .*/t has {targets}.*line 4 has no partner"):
        list(files.stream())


@pytest.mark.parametrize(("line", "columns"), [("no tab", 1), ("a\tb\tc", 3)])
def test_a_line_without_exactly_two_columns_is_named(tmp_path: Path, line: str, columns: int) -> None:
    path = write(tmp_path / "t.tsv", f"a\tb\n{line}\n".encode())
    with pytest.raises(RequestError, match=rf"t\.tsv, line 2: {columns} columns"):
        list(TabSeparatedFile(path).stream())


def test_a_file_that_is_no_whole_gzip_is_named(tmp_path: Path) -> None:
    not_gzip = tmp_path / "a.gz"
    not_gzip.write_bytes(b"plain text\n")
    cut_short = tmp_path / "b.gz"
    cut_short.write_bytes(gzip.compress("".join(f"line {n}\n" for n in range(9999)).encode())[:-200])
    for path in (not_gzip, cut_short):
        with pytest.raises(RequestError, match=rf"{path.name}, after line \d+: not a whole gzip file"):
            list(read_lines(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for read in (lambda path: list(read_lines(path)), sha256_of):
        with pytest.raises(RequestError, match="cannot be read"):
            read(tmp_path)


def test_a_byte_order_mark_begins_a_file_and_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "marked.txt").write_bytes("\ufeffa b\r\n\ufeffc\n".encode())
    assert list(read_lines(tmp_path / "marked.txt")) == ["a b", "\ufeffc"]
