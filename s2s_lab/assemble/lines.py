"""Lines of a stream of bytes, one text for each, and remarks on those that had to be mended."""

import codecs
import sys
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

LONGEST = 1 << 20  # bytes of a line that are read; the rest of a longer one is left out


class Remarks:
    """Tells standard error of the first line of each kind at once, and of the number of all at the end.

    Args:
        program: the command's name.
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self._counts: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def tell(self, kind: str, number: int, remark: str) -> None:
        """Takes a remark.

        Args:
            kind: what is wrong with such lines, as in `3 lines KIND`.
            number: of the line, from 1.
            remark: what is wrong with this one, and what is done.
        """
        self._counts[kind] += 1
        if self._first.setdefault(kind, number) == number:
            print(f"{self.program}: line {number}: {remark}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Tells of the kinds that came more than once."""
        for kind, count in self._counts.items():
            if count > 1:
                print(f"{self.program}: {count} lines {kind}, the first is line {self._first[kind]}", file=sys.stderr)


def texts(stream: BinaryIO, remarks: Remarks) -> Iterator[str]:
    r"""Yields the text of each line; only LF or CR LF end one, and the last one needs no end.

    Bytes that are no UTF-8 become U+FFFD, and a line of more than LONGEST bytes is cut: each input line has its text.

    Args:
        stream: open for reading.
        remarks: is told of lines that were mended.
    """
    number = 0
    while raw := stream.readline(LONGEST + 2):
        number += 1
        unread = len(raw) == LONGEST + 2 and not raw.endswith(b"\n")
        while unread and (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
            pass
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        cut = len(raw) > LONGEST
        if cut:
            remarks.tell("were too long", number, f"longer than {LONGEST:,} bytes, cut there")
            raw = raw[:LONGEST]
        yield _text(raw, number, cut, remarks)


def one_line(text: str) -> str:
    """A text without line ends, so that it stays one line of output."""
    return text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text


def _text(raw: bytes, number: int, cut: bool, remarks: Remarks) -> str:
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(raw, final=not cut)  # a character cut in two is left out
    except UnicodeDecodeError as error:
        remarks.tell(
            "were not valid UTF-8",
            number,
            f"not valid UTF-8 (byte 0x{raw[error.start]:02x} at position {error.start + 1}), such bytes become U+FFFD",
        )
        return raw.decode("utf-8", errors="replace")
