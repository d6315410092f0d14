"""What a search may draw: dimensions from Hydra's override grammar, fixed words, and dimensions that only some have."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import HydraException

from s2s_lab.faults import RequestError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = str | int | float
TAGS = {"log", "int"}
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


@dataclass(frozen=True)
class Drawn:
    """One point of a space.

    Attributes:
        values: drawn value by the name of its dimension; dimensions whose condition does not hold are not in it.
        words: the whole command line of the job, fixed words first.
        shown: the drawn words alone.
    """

    values: dict[str, Value]
    words: list[str]
    shown: list[str]


@dataclass(frozen=True)
class Space:
    """Everything that a search may draw.

    Attributes:
        fixed: words of every job.
        chosen: option by key of the fixed words.
        dimensions: in the order in which they are drawn; a condition looks at what stands before it.
    """

    fixed: tuple[str, ...]
    chosen: dict[str, str]
    dimensions: tuple[Dimension, ...]

    def draw(self, suggest: Callable[[Dimension], Value]) -> Drawn:
        """One point.

        Args:
            suggest: gives the value of one dimension; called for those whose condition holds, in order.
        """
        chosen, values, shown = dict(self.chosen), dict[str, Value](), list[str]()
        for dimension in self.dimensions:
            if dimension.condition is not None and chosen.get(dimension.condition[0]) != dimension.condition[1]:
                continue
            value = suggest(dimension)
            text = dimension.values.text(value)
            values[dimension.name], chosen[dimension.key] = value, text
            shown.append(f"{dimension.key}={text}")
        return Drawn(values, [*self.fixed, *shown], shown)

    def points(self, *, of: Callable[[Dimension], Sequence[Value]]) -> Iterator[Drawn]:
        """Every combination of some values of each dimension, the first dimension changing slowest.

        Args:
            of: the values of one dimension to combine.
        """
        prefix: list[int] | None = []
        while prefix is not None:
            taken: list[tuple[int, int]] = []

            def suggest(dimension: Dimension, prefix: list[int] = prefix, taken: list[Any] = taken) -> Value:
                options = of(dimension)
                position = prefix[len(taken)] if len(taken) < len(prefix) else 0
                taken.append((position, len(options)))
                return options[position]

            yield self.draw(suggest)
            while taken and taken[-1][0] + 1 >= taken[-1][1]:
                taken.pop()
            prefix = [*(position for position, _ in taken[:-1]), taken[-1][0] + 1] if taken else None

    def definition(self) -> dict[str, str]:
        """Each dimension in words, by its name."""
        return {dimension.name: str(dimension.values) for dimension in self.dimensions}


def read_space(
    words: Sequence[str], params: Mapping[str, Any] | None = None, spaces: Mapping[str, Any] | None = None
) -> Space:
    """The space that a command line and the settings of a search ask for.

    Args:
        words: overrides of the command line without Hydra's own; the last word of a key wins, also over `params`.
        params: space or value by key, in Hydra's override grammar.
        spaces: further spaces and values by key, by the choice that they belong to: {"model=lstm": {key: space}}.

    Raises:
        RequestError: if a word cannot be read, a space is empty or its bounds are no numbers, or a condition can never
            hold; one line that names it.
    """
    listed = [_parse(f"{key}={value}", place="hydra.sweeper.params: ") for key, value in _items(params, "params")]
    overrides = {override.get_key_element(): override for override in [*listed, *(_parse(word) for word in words)]}
    fixed, chosen, dimensions = [], dict[str, str](), list[Dimension]()
    for key, override in overrides.items():
        if override.is_sweep_override():
            dimensions.append(Dimension(key, _values(override)))
        else:
            text = override.get_value_element_as_str()
            chosen[key] = text
            fixed.append(f"{key}={text}")
    for condition, entries in _items(spaces, "spaces"):
        dimensions += _conditional(condition, entries, chosen, dimensions)
    return Space(tuple(fixed), chosen, tuple(dimensions))


def is_searched(word: str) -> bool:
    """Whether a word of the command line asks for several values, and so is no word of one job.

    Raises:
        RequestError: if it cannot be read.
    """
    return _parse(word).is_sweep_override()


def _conditional(condition: str, entries: Any, chosen: dict[str, str], before: list[Dimension]) -> list[Dimension]:
    """The dimensions of one entry of `spaces`."""
    place = f"hydra.sweeper.spaces: {condition}"
    override = _parse(str(condition), place="hydra.sweeper.spaces: ")
    if override.is_sweep_override():
        raise RequestError(f"{place}: one choice is expected, as in model=lstm_attention")
    key, option = override.get_key_element(), override.get_value_element_as_str()
    possible = [chosen[key]] if key in chosen else []
    for dimension in before:
        if dimension.key == key and isinstance(dimension.values, Choice):
            possible += dimension.values.texts
    if option not in possible:
        known = f" (it is one of {', '.join(possible)})" if possible else f"; nothing draws {key}"
        raise RequestError(f"{place}: {key} is never {option}{known}")
    found = []
    for name, value in _items(entries, f"spaces: {condition}"):
        own = _parse(f"{name}={value}", place=f"{place}: ")
        inner = own.get_key_element()
        if inner in chosen or any(other.key == inner and _meet(other, key, option, before) for other in before):
            raise RequestError(f"{place}: {inner} is given elsewhere too")
        values = _values(own) if own.is_sweep_override() else Choice((own.get_value_element_as_str(),))
        found.append(Dimension(inner, values, (key, option)))
    return found


def _meet(other: Dimension, key: str, option: str, before: list[Dimension]) -> bool:
    """Whether a dimension can be drawn together with what holds for one choice; unsure is yes."""
    condition = other.condition
    while condition is not None:
        if condition[0] == key:
            return condition[1] == option
        parents = [dimension for dimension in before if dimension.key == condition[0]]
        condition = parents[0].condition if len(parents) == 1 else None
    return True


def _items(node: Any, name: str) -> list[tuple[str, Any]]:
    """Keys and values of a section that may be missing."""
    if node is None:
        return []
    if not isinstance(node, Mapping):
        raise RequestError(f"hydra.sweeper.{name}={node!r}: a section of keys with their spaces is expected")
    if name == "spaces":
        return [(str(key), value) for key, value in node.items()]
    for key, value in node.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise RequestError(
                f"hydra.sweeper.{name}: {key} is {value!r}; choice(...), range(...), interval(...) or a value is "
                "expected, as text"
            )
    return [(str(key), value) for key, value in node.items()]


def _parse(word: str, place: str = "") -> Override:
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise RequestError(f"{place}cannot read {word}: {reason[:200]}") from error
    if not override.key_or_group:
        raise RequestError(f"{place}cannot read {word}: KEY=SPACE is expected")
    if override.is_delete():
        raise RequestError(f"{place}{word} deletes a key; choose another option instead")
    return override


def _values(override: Override) -> Choice | Numbers:
    """The values that one word may draw."""
    sweep, word = override.value(), override.input_line
    if isinstance(sweep, Sweep) and sweep.tags - TAGS:
        raise RequestError(f"{word}: tag {min(sweep.tags - TAGS)} is unknown; log and int are known")
    if isinstance(sweep, ChoiceSweep):
        texts = [Override._get_value_element_as_str(_plain(item)) for item in sweep.list]
        if sweep.tags:
            raise RequestError(f"{word}: a choice has no order; tags are for interval and range")
        if len(set(texts)) < len(texts):
            raise RequestError(f"{word}: the same option twice")
        return Choice(tuple(texts))
    if isinstance(sweep, RangeSweep):
        return _range(sweep, str(word))
    if isinstance(sweep, IntervalSweep):
        return _interval(sweep, str(word))
    assert isinstance(sweep, Glob)
    raise RequestError(f"{word}: glob is not supported; name the options with commas")


def _plain(item: Any) -> Any:
    """An option without quotes that it does not need, so that one option has one text."""
    plain = isinstance(item, QuotedString) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", item.text)
    return item.text if plain and item.text.lower() not in ("null", "true", "false", "nan", "inf") else item


def _range(sweep: RangeSweep, word: str) -> Numbers:
    start, stop, step = (Decimal(str(bound)) for bound in (sweep.start, sweep.stop, sweep.step))
    if not all(bound.is_finite() for bound in (start, stop, step)) or step == 0:
        raise RequestError(f"{word}: numbers and a step other than 0 are expected")
    count = math.ceil((stop - start) / step)
    if count < 1:
        raise RequestError(f"{word}: nothing lies in this range")
    whole = all(isinstance(bound, int) for bound in (sweep.start, sweep.stop, sweep.step))
    if "int" in sweep.tags and not whole:
        raise RequestError(f"{word}: tagged int, but its bounds or its step are no whole numbers")
    ends = sorted((start, start + step * (count - 1)))
    log = "log" in sweep.tags
    if log and not (whole and abs(step) == 1 and ends[0] >= 1):
        raise RequestError(f"{word}: a log range goes over whole numbers from 1 on by steps of 1; else use interval")
    if whole:
        return Numbers(int(ends[0]), int(ends[1]), int(abs(step)), log, whole)
    return Numbers(float(ends[0]), float(ends[1]), float(abs(step)), log, whole)


def _interval(sweep: IntervalSweep, word: str) -> Numbers:
    assert sweep.start is not None and sweep.end is not None
    low, high = sweep.start, sweep.end
    whole, log = "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)), "log" in sweep.tags
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RequestError(f"{word}: two finite numbers are expected, the smaller one first")
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise RequestError(f"{word}: whole numbers are drawn, but {low:g} or {high:g} is none")
    if log and low <= 0:
        raise RequestError(f"{word}: a log interval begins above 0, not at {low:g}")
    return (
        Numbers(int(low), int(high), None, log, True) if whole else Numbers(float(low), float(high), None, log, False)
    )
