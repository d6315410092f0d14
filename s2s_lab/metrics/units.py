"""How a line is divided into the units that token-wise metrics compare."""

from typing import Literal

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Metric

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


class UnitMetric(Metric):
    """A metric of lines that are divided into units.

    Args:
        unit: "word" or "character".
        lowercase: Compare lower-cased text.
        name: What the score is called in tables; None for what it is.

    Raises:
        RequestError: Unknown unit.
    """

    def __init__(self, *, unit: Unit = "word", lowercase: bool = False, name: str | None = None) -> None:
        self.name = self.kind if name is None else name
        check_unit(unit, name=self.name)
        self.unit: Unit = unit
        self.lowercase = lowercase

    def divide(self, line: str) -> list[str]:
        """Divide a line as asked for; see the function `divide`."""
        return divide(line, unit=self.unit, lowercase=self.lowercase)
