"""Dimensions of a search: one key each, and the options or numbers that are drawn for it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float
MOST_OPTIONS = 10_000


@dataclass(frozen=True)
class Choice:
    """One of several options, without order.

    Attributes:
        texts: each option as it stands in a word.
    """

    texts: tuple[str, ...]

    def distribution(self) -> "BaseDistribution":
        """The same for Optuna."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.texts)

    def text(self, value: Value) -> str:
        """A drawn option as it stands in a word."""
        return str(value)

    def options(self) -> list[Value]:
        """Every value."""
        return list(self.texts)

    def __str__(self) -> str:
        return f"choice({','.join(self.texts)})"


@dataclass(frozen=True)
class Numbers:
    """A number between two bounds.

    Attributes:
        low: the smallest one.
        high: the largest one; whole numbers and steps reach it.
        step: between neighbours; None for all numbers between.
        log: whether its logarithm is drawn evenly.
        whole: whether only whole numbers are drawn.
    """

    low: float
    high: float
    step: float | None
    log: bool
    whole: bool

    def distribution(self) -> "BaseDistribution":
        """The same for Optuna."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def text(self, value: Value) -> str:
        """A drawn number as it stands in a word; multiples of a step without the noise of float arithmetic."""
        if self.whole:
            return str(int(value))
        if self.step is not None:
            low, step = Decimal(str(self.low)), Decimal(str(self.step))
            return repr(float(low + step * round((Decimal(str(value)) - low) / step)))
        return repr(float(value))

    def options(self) -> list[Value] | None:
        """Every value; None where there are infinitely many, or too many to list."""
        step = 1 if self.whole and self.step is None else self.step
        if step is None:
            return None
        low, high, by = (Decimal(str(number)) for number in (self.low, self.high, step))
        count = int((high - low) / by) + 1
        if count > MOST_OPTIONS:
            return None
        values = [low + by * number for number in range(count)]
        return [int(value) if self.whole else float(value) for value in values]

    def __str__(self) -> str:
        tags = ["log"] * self.log + ["int"] * self.whole
        inner = f"interval({self.low},{self.high})" if self.step is None else f"{self.low}..{self.high} by {self.step}"
        return f"tag({','.join(tags)},{inner})" if tags else inner


@dataclass(frozen=True)
class Dimension:
    """One key that is drawn.

    Attributes:
        key: the key or group of its word, e.g. optimizer.lr.
        values: what is drawn.
        condition: key and option that have to be chosen for it to be drawn at all; None for always.
    """

    key: str
    values: Choice | Numbers
    condition: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """How it is called in records: its key, with its condition where it has one."""
        return self.key if self.condition is None else f"{self.key} [{'='.join(self.condition)}]"
