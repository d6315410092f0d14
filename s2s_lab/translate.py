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
        read = _opened(stack, settings, "input_file", "rb") or sys.stdin.buffer
        _check_other_file(settings)
        lines = texts(read, remarks)
        translated = translate_lines(lines, settings, interactive=read.isatty(), tell=remarks.tell)
        write = _opened(stack, settings, "output_file", "wb")
        attention = _opened(stack, settings, "attention_file", "wb")
        at_once = write is not None or read.isatty()
        out = write or sys.stdout.buffer
        stack.enter_context(naming(Path(settings["output_file"] or settings["attention_file"] or "standard output")))
        for outputs, weights in translated:
            out.write("".join(f"{one_line(text)}\n" for text in outputs).encode())  # UTF-8 in any locale, as it is read
            if at_once:
                out.flush()
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


def _check_other_file(settings: dict[str, Any]) -> None:
    """Refuses to write over the file that is read, and to write two things into one file."""
    from s2s_lab.faults import RequestError

    for key in ("output_file", "attention_file"):
        place = Path(settings[key] or "")
        if settings["input_file"] and place.is_file() and place.samefile(settings["input_file"]):
            raise RequestError(f"{key}={settings[key]} is the input: another file is expected")
    if settings["output_file"] is not None and settings["output_file"] == settings["attention_file"]:
        raise RequestError(f"output_file={settings['output_file']} is also attention_file: two files are expected")


def main() -> None:
    """Entry point of `s2s-translate`."""
    from s2s_lab.assemble.command import run_command
    from s2s_lab.sweeps.process import restart_retaining_memory

    restart_retaining_memory()
    sys.argv[1:] = ["interactive=true" if word == "--interactive" else word for word in sys.argv[1:]]
    run_command("translate", "s2s-translate", ABOUT, translate)


if __name__ == "__main__":
    main()
