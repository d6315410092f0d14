"""Translates standard input to standard output, or one file to another, with a frozen model."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

ABOUT = """Translates standard input, one line for each line: s2s-translate run=DIR decoding=beam < in.txt > out.txt.
input_file=FILE and output_file=FILE read and write files; what an interrupted translation has written stays.
Only line feeds end lines. Bytes that are not UTF-8 become U+FFFD, and lines of more than max_source_length tokens are
cut, with a warning that names the line: every line of input has its line of output.
nbest=3 prints scored alternatives, scores=true the score of a single output too, and decoding=forced targets_file=FILE
scores given outputs. attention_file=FILE writes the attention weights as JSON lines.
--interactive (or interactive=true) prompts for lines, and draws in the terminal where the model looked."""


def translate(configuration: Any) -> None:
    """Translates with the settings of a composed configuration.

    Args:
        configuration: the composed configuration with Hydra's node (DictConfig).

    Raises:
        RequestError: if the model or a file cannot be used.
        OSError: if the output cannot be written; BrokenPipeError if nobody reads it any more.
    """
    from s2s_lab.assemble.configuration import plain
    from s2s_lab.assemble.lines import Remarks, one_line, texts
    from s2s_lab.assemble.translation import translate_lines
    from s2s_lab.records.disk_faults import naming

    settings = plain(configuration)
    if settings["interactive"]:
        _converse(settings)
        return
    remarks = Remarks("s2s-translate")
    with ExitStack() as stack:
        read = _opened(stack, settings, "input_file", "rb") or _standard_input()
        _check_other_files(settings)
        lines = texts(read, remarks)
        translated = translate_lines(lines, settings, interactive=read.isatty(), tell=remarks.tell)
        write = _opened(stack, settings, "output_file", "wb")
        attention = _opened(stack, settings, "attention_file", "wb")
        out = write or sys.stdout.buffer
        stack.enter_context(naming(Path(settings["output_file"] or settings["attention_file"] or "standard output")))
        for outputs, weights in translated:
            out.write("".join(f"{one_line(text)}\n" for text in outputs).encode())  # UTF-8 in any locale, as it is read
            out.flush()  # whatever happens next, this line is out
            if attention is not None:
                attention.write(f"{weights or 'null'}\n".encode())
        out.flush()
    remarks.close()


def _converse(settings: dict[str, Any]) -> None:
    """Prompts for lines until the user ends it.

    Raises:
        RequestError: if a file is named, too.
    """
    from s2s_lab.assemble.conversation import converse
    from s2s_lab.faults import RequestError

    for key in ("input_file", "output_file", "attention_file"):
        if settings[key] is not None:
            raise RequestError(f"{key}={settings[key]}: --interactive reads the terminal and answers there")
    converse(settings)


def _opened(stack: ExitStack, settings: dict[str, Any], key: str, mode: str) -> BinaryIO | None:
    """The file that a setting names, open until the stack ends; None where it names none.

    Raises:
        RequestError: if it cannot be opened.
    """
    from typing import cast

    from s2s_lab.faults import RequestError
    from s2s_lab.records.disk_faults import naming

    if settings[key] is None:
        return None
    stack.enter_context(naming(Path(settings[key])))  # closing a file writes what is left of it
    try:
        return stack.enter_context(cast(BinaryIO, open(settings[key], mode)))
    except OSError as error:
        verb = "read" if mode == "rb" else "written"
        raise RequestError(f"{key}={settings[key]}: cannot be {verb} ({error.strerror or error})") from error


def _standard_input() -> BinaryIO:
    from s2s_lab.faults import RequestError

    if sys.stdin is None:
        raise RequestError("standard input is closed: lines are expected there, or input_file=FILE")
    return sys.stdin.buffer


def _check_other_files(settings: dict[str, Any]) -> None:
    """Refuses to write over a file that is read, and to write two things into one file."""
    from s2s_lab.faults import RequestError

    named = {key: settings[key] for key in settings if key.endswith("_file") and settings[key] is not None}
    for name, node in (settings.get("constraint") or {}).items():
        if node.get("file"):
            named[f"constraint.{name}.file"] = node["file"]
    for key in ("output_file", "attention_file"):
        for other, path in named.items():
            if key in named and other != key and _same_file(named[key], path):
                raise RequestError(f"{key}={named[key]} is also {other}: another file is expected")


def _same_file(one: str, other: str) -> bool:
    places = Path(one), Path(other)
    if all(place.is_file() for place in places):
        return places[0].samefile(places[1])
    return places[0].resolve() == places[1].resolve()


def main() -> None:
    """Entry point of `s2s-translate`."""
    from s2s_lab.assemble.command import run_command
    from s2s_lab.sweeps.process import restart_retaining_memory

    restart_retaining_memory()
    sys.argv[1:] = ["interactive=true" if word == "--interactive" else word for word in sys.argv[1:]]
    run_command("translate", "s2s-translate", ABOUT, translate)


if __name__ == "__main__":
    main()
