"""What a search may draw: fixed words, dimensions, and dimensions that only some choices have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.dimensions import Choice, Dimension, Value
from s2s_lab.sweeps.search.words import parse_word, values_of


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

    def grid(self) -> list[Drawn]:
        """Every combination of the options of each dimension; there is no interval among them."""

        def all_options(dimension: Dimension) -> Sequence[Value]:
            options = dimension.values.options()
            assert options is not None
            return options

        return list(self.points(of=all_options))

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
    listed = [parse_word(f"{key}={value}", place="hydra.sweeper.params: ") for key, value in _items(params, "params")]
    overrides = {override.get_key_element(): override for override in [*listed, *(parse_word(word) for word in words)]}
    fixed, chosen, dimensions = [], dict[str, str](), list[Dimension]()
    for key, override in overrides.items():
        if override.is_sweep_override():
            dimensions.append(Dimension(key, values_of(override)))
        else:
            text = override.get_value_element_as_str()
            chosen[key] = text
            fixed.append(f"{key}={text}")
    for condition, entries in _items(spaces, "spaces"):
        dimensions += _conditional(condition, entries, chosen, dimensions)
    return Space(tuple(fixed), chosen, tuple(dimensions))


def _conditional(condition: str, entries: Any, chosen: dict[str, str], before: list[Dimension]) -> list[Dimension]:
    """The dimensions of one entry of `spaces`."""
    place = f"hydra.sweeper.spaces: {condition}"
    override = parse_word(str(condition), place="hydra.sweeper.spaces: ")
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
        own = parse_word(f"{name}={value}", place=f"{place}: ")
        inner = own.get_key_element()
        if inner in chosen or any(other.key == inner and _meet(other, key, option, before) for other in before):
            raise RequestError(f"{place}: {inner} is given elsewhere too")
        values = values_of(own) if own.is_sweep_override() else Choice((own.get_value_element_as_str(),))
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
