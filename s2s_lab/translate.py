"""Translates standard input to standard output with a frozen model."""

import sys
from collections.abc import Iterator
from typing import Any, TextIO

ABOUT = """Translates standard input, one line for each line: s2s-translate run=DIR decoding=beam < in.txt > out.txt.
nbest=3 prints scored alternatives, attention_file=FILE writes the attention weights as JSON lines."""


def translate(configuration: Any) -> None:
    """Translates standard input with the settings of a composed configuration.

    Args:
        configuration: the composed configuration with Hydra's node (DictConfig).

    Raises:
        RequestError: if the model cannot be used or the file of attention weights cannot be written.
    """
    from contextlib import ExitStack

    from s2s_lab.assemble.configuration import plain
    from s2s_lab.assemble.translation import translate_lines

    settings = plain(configuration)
    with ExitStack() as stack:
        file = stack.enter_context(_opened(settings["attention_file"])) if settings["attention_file"] else None
        interactive = sys.stdin.isatty()
        for texts, attention in translate_lines(_lines(), settings, interactive=interactive):
            sys.stdout.buffer.write(("\n".join(texts) + "\n").encode())  # UTF-8 in any locale, as it is read
            if interactive:
                sys.stdout.buffer.flush()
            if file is not None:
                file.write((attention or "null") + "\n")
        sys.stdout.buffer.flush()


def _opened(path: str) -> TextIO:
    """The file of attention weights, open for writing.

    Raises:
        RequestError: if it cannot be written.
    """
    from s2s_lab.faults import RequestError

    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        raise RequestError(f"attention_file={path}: cannot be written ({error.strerror or error})") from error


def _lines() -> Iterator[str]:
    """Lines of standard input; bytes that are no UTF-8 become the replacement character, and are told of at the end."""
    mended, first = 0, 0
    for number, line in enumerate(sys.stdin.buffer, start=1):
        text = line.rstrip(b"\r\n").decode("utf-8", errors="replace")
        if "\ufffd" in text and "\ufffd".encode() not in line:
            mended, first = mended + 1, first or number
        yield text
    if mended:
        print(f"s2s-translate: {mended} lines were not valid UTF-8, the first is line {first}", file=sys.stderr)


def main() -> None:
    """Entry point of `s2s-translate`."""
    from s2s_lab.assemble.command import run_command
    from s2s_lab.sweeps.process import restart_retaining_memory

    restart_retaining_memory()
    run_command("translate", "s2s-translate", ABOUT, translate)


if __name__ == "__main__":
    main()
