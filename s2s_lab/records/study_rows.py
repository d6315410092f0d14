"""The rows of a study: a block's grid and paired choices multiplied out without what it excludes, and named."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.nearest import one_of

Words = Mapping[str, Any]
"""Keys and groups of a configuration with plain values; each becomes one word KEY=VALUE."""

MOST_ROWS = 10_000
SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
LITERALS = ("null", "true", "false", "inf", "nan")


@dataclass(frozen=True)
class Row:
    """One row of the paper's table: the trainings that differ only in the seed.

    Attributes:
        name: the block's name, with its choices in brackets where the block has several.
        block: the name of its block.
        title: what a reader calls the block.
        words: all that the study says of it: base, set, grid and paired choices.
        choices: what tells it from the block's other rows; empty where the block is one row.
        seeds: of its trainings.
        evaluations: names of those it gets.
        needs: why it cannot be run yet; None when it can.
        priority: lower ones are run first.
    """

    name: str
    block: str
    title: str
    words: dict[str, Any]
    choices: dict[str, Any]
    seeds: tuple[int, ...]
    evaluations: tuple[str, ...]
    needs: str | None
    priority: int


def expand(
    grid: Mapping[str, Sequence[Any]], paired: Sequence[Words], without: Sequence[Words], place: str
) -> list[dict[str, Any]]:
    """Multiply choices out.

    Args:
        grid: key -> its values.
        paired: mappings with the same keys, each one choice of all of them.
        without: combinations to leave out: those that agree with all items of one of them.
        place: the file and the block, for messages.

    Returns:
        One mapping for each row, keys of the grid first; the last key changes fastest.

    Raises:
        RequestError: if an exclusion excludes nothing, nothing is left, or there are more than MOST_ROWS.
    """
    size = len(paired) if paired else 1
    for values in grid.values():
        size *= len(values)
    if size > MOST_ROWS:
        raise RequestError(f"{place}: {size} combinations, expected at most {MOST_ROWS}")
    combinations = [
        {**dict(zip(grid, chosen, strict=True)), **choice}
        for chosen in itertools.product(*grid.values())
        for choice in (paired or [{}])
    ]
    for number, excluded in enumerate(without):
        if not any(_agrees(combination, excluded) for combination in combinations):
            raise RequestError(f"{place}: without[{number}] excludes nothing: {_shown(excluded)}")
    kept = [item for item in combinations if not any(_agrees(item, excluded) for excluded in without)]
    if not kept:
        raise RequestError(f"{place}: nothing is left, `without` excludes all {len(combinations)} combinations")
    return kept


def row_names(block: str, combinations: Sequence[Words], place: str) -> list[str]:
    """Name the rows of a block: `block[dropout=0.1,cell=gru]`, the block's name alone where nothing is chosen.

    A key is named by its last part; keys that share it are named once where their values are always the same, and in
    full elsewhere.

    Raises:
        RequestError: if two rows would have the same name.
    """
    keys = list(combinations[0])
    shared: dict[str, list[str]] = {}
    for key in keys:
        shared.setdefault(key.rpartition(".")[2], []).append(key)
    shown: dict[str, str] = {}
    for last, members in shared.items():
        same = all(len({_text(item[key]) for key in members}) == 1 for item in combinations)
        shown |= {members[0]: last} if same else {key: key for key in members}
    names = []
    for combination in combinations:
        parts = [f"{shown[key]}={_text(combination[key])}" for key in keys if key in shown]
        names.append(f"{block}[{','.join(parts)}]" if parts else block)
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"{place}: two rows would be called {name}")
    return names


def word(key: str, value: Any) -> str:
    """Write one word of a command line, so that Hydra reads back the very value."""
    return f"{key}={_written(value)}"


def check_choices(node: Any, keys: Sequence[str], place: str) -> None:
    """Refuse an exclusion that names an unknown key.

    Raises:
        RequestError: names the nearest known key.
    """
    for key in node:
        one_of(key, keys, f"{place}: {key}", "a key of grid or paired")


def same(left: Any, right: Any) -> bool:
    """Whether two plain values are the same; true is not 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _agrees(combination: Words, excluded: Words) -> bool:
    return all(same(combination[key], value) for key, value in excluded.items())


def _shown(words: Words) -> str:
    return ", ".join(f"{key}: {_text(value)}" for key, value in words.items())


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(_text, value))
    if isinstance(value, dict):
        return "+".join(f"{key}:{_text(item)}" for key, item in value.items())
    if value is None:
        return "null"
    return re.sub(r"[^A-Za-z0-9._+:-]", "_", str(value).lower() if isinstance(value, bool) else str(value))


def _written(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if SAFE.fullmatch(value) and value.lower() not in LITERALS:
        return value
    return "'" + re.sub(r"(\\*)('|$)", _escaped, value) + "'"


def _escaped(found: re.Match[str]) -> str:
    """Backslashes count only before a quote: there each is doubled, and the quote gets one of its own."""
    slashes, quote = found.groups()
    return slashes * 2 + ("\\'" if quote else "")
