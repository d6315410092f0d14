"""How a line is divided into the units that token-wise metrics compare."""

from typing import Literal

from s2s_lab.faults import RequestError

Unit = Literal["word", "character"]


def check_unit(unit: str, *, name: str) -> None:
    """Refuse an unknown unit.

    Raises:
        RequestError: `unit` is neither "word" nor "character".
    """
    if unit not in ("word", "character"):
        raise RequestError(f'{name}: unit is {unit!r}; expected "word" or "character"')


def divide(line: str, *, unit: Unit = "word", lowercase: bool = False) -> list[str]:
    """Divide a line into words at white space, or into the characters of those words joined by single spaces."""
    words = (line.lower() if lowercase else line).split()
    return words if unit == "word" else list(" ".join(words))


def case_field(lowercase: bool) -> str:
    """Name the treatment of case as sacrebleu's signatures do."""
    return "lc" if lowercase else "mixed"
