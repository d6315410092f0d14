"""A prompt that translates what is typed, and draws in the terminal where the model looked."""

import contextlib
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from s2s_lab.assemble.evaluation_record import alignment_of
from s2s_lab.assemble.translation import BadLineError, Translator
from s2s_lab.records.evaluation import Alignment

PROMPT = "> "
SHADES = " ░▒▓█"
SHARES = (0.05, 0.25, 0.5, 0.75)
"""From which weight on each shade but the first is drawn."""
WIDEST_TOKEN = 12


def converse(settings: Mapping[str, Any], console: Console | None = None) -> None:
    """Answers lines typed at a prompt: Ctrl-C cancels a line, Ctrl-D ends, the arrow keys bring earlier lines back.

    Args:
        settings: plain conf/translate.yaml.
        console: where answers go; standard output by default.

    Raises:
        RequestError: if the model cannot be read, or more outputs are asked for than the strategy keeps.
    """
    console = console or Console(highlight=False)
    translator = Translator(settings, lambda kind, number, remark: console.print(f"  {remark}", style="dim"))
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (gives input() its editing and its history)
    keys = "a line and Enter; Ctrl-C cancels it, Ctrl-D ends"
    console.print(f"[dim]{escape(settings['run'])}, {escape(translator.strategy.name)}: {keys}[/]", soft_wrap=True)
    told = False
    while True:
        try:
            line = input(PROMPT)
            if not line.strip():
                continue
            alignment = _answer(line, translator, settings, console)
        except EOFError:
            console.print()
            return
        except KeyboardInterrupt:  # of the line being typed, or of the search for its answer
            console.print()
            continue
        except UnicodeDecodeError:
            print("the line is not valid UTF-8", file=sys.stderr)
            continue
        except BadLineError as error:
            print(error, file=sys.stderr)
            continue
        if alignment is not None:
            console.print(drawn(alignment, console.width))
        elif not told:
            told = True
            console.print("[dim]this model has no attention to draw[/]")


def _answer(line: str, translator: Translator, settings: Mapping[str, Any], console: Console) -> Alignment | None:
    source_ids, outputs = translator.translate(line)
    wanted = settings["nbest"]
    scored = wanted > 1 or settings.get("scores")
    for text, item in outputs[:wanted]:
        shown = f"[dim]{item.score:8.4f}[/]  {escape(text)}" if scored else f"[bold]{escape(text)}[/]"
        console.print(shown, soft_wrap=True)
    return alignment_of(translator.model, source_ids, outputs[0][1])


def drawn(alignment: Alignment, width: int) -> Table:
    """Draw attention as shades: source tokens across, target tokens down.

    Source tokens stand over their columns, one letter below the other; columns that find no room are left out at the
    end, which is said.

    Args:
        alignment: of one output.
        width: characters of a line.
    """
    label = min(WIDEST_TOKEN, max(map(len, alignment.target_tokens), default=0))
    room = max(1, (width - label) // 2)  # of each column one letter and a space
    sources = list(alignment.source_tokens[:room])
    missing = len(alignment.source_tokens) - len(sources)
    caption = f"{missing} more source tokens find no room" if missing else None
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption=caption, caption_justify="left")
    table.add_column("", no_wrap=True, width=label)
    tall = min(WIDEST_TOKEN, max(map(len, sources), default=0))
    for token in sources:
        letters = _cut(token, tall).rjust(tall)
        table.add_column(escape("\n".join(letters)), width=1, no_wrap=True)
    for token, row in zip(alignment.target_tokens, alignment.weights, strict=True):
        table.add_row(escape(_cut(token, label)), *(shade(float(weight)) for weight in row[: len(sources)]))
    return table


def shade(weight: float) -> str:
    """Give the character that stands for a weight of 0 to 1."""
    return SHADES[sum(weight >= share for share in SHARES)]


def _cut(token: str, most: int) -> str:
    return token if len(token) <= most else f"{token[: most - 1]}…"
