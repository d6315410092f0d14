"""Each line of bytes gives one text, whatever is in it, and standard error names the first line of each fault."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2s_lab.assemble import lines
from s2s_lab.assemble.lines import Remarks, one_line, texts

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(content: bytes) -> list[str]:
    return list(texts(io.BytesIO(content), Remarks("s2s-translate")))


@unhurried
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\n"))), st.booleans())
def test_only_line_feeds_end_lines(written: list[str], ended: bool) -> None:
    """Any text without a line feed comes back, but for one carriage return at its end."""
    written = written or ["x"]
    content = "\n".join(written) + ("\n" if ended else "")
    expected = [text.removesuffix("\r") for text in written]
    if not ended and not written[-1]:
        expected.pop()  # nothing follows the last line feed
    assert read(content.encode()) == expected


@unhurried
@given(st.binary(max_size=200))
def test_any_bytes_give_as_many_texts_as_lines(content: bytes) -> None:
    whole = content.split(b"\n")
    assert len(read(content)) == len(whole) - (whole[-1] == b"")


@pytest.mark.parametrize("separator", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00"])
def test_nothing_else_separates(separator: str) -> None:
    assert read(f"a{separator}b\nc".encode()) == [f"a{separator}b", "c"]


def test_invalid_bytes_are_replaced_and_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    remarks = Remarks("s2s-translate")
    found = list(texts(io.BytesIO(b"good\na \xff b\nok \xef\xbf\xbd\n\xc3\n"), remarks))
    assert found == ["good", "a \ufffd b", "ok \ufffd", "\ufffd"]
    remarks.close()
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        "s2s-translate: line 2: not valid UTF-8 (byte 0xff at position 3), such bytes become U+FFFD",
        "s2s-translate: 2 lines were not valid UTF-8, the first is line 2",
    ]


def test_a_line_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(lines, "LONGEST", 9)
    content = "123456789\n123456789\r\n1234567890\n12345678ü" + "x" * 50 + "\nlast"
    assert read(content.encode()) == ["123456789", "123456789", "123456789", "12345678", "last"]
    assert "line 3: longer than 9 bytes, cut there" in capsys.readouterr().err


def test_an_output_stays_one_line() -> None:
    assert one_line("a\nb\r\nc\rd\u2028e") == "a b  c d\u2028e"
