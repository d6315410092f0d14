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
        for texts, attention in translate_lines(_lines(), settings):
            sys.stdout.buffer.write(("\n".join(texts) + "\n").encode())  # UTF-8 in any locale, as it is read
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
    """Lines of standard input; what is no UTF-8 becomes the replacement character."""
    for line in sys.stdin.buffer:
        yield line.rstrip(b"\r\n").decode("utf-8", errors="replace")


def main() -> None:
    """Entry point of `s2s-translate`."""
    from s2s_lab.assemble.command import run_command

    run_command("translate", "s2s-translate", ABOUT, translate)


if __name__ == "__main__":
    main()
