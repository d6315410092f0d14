"""Nested tuples of tensors, as states and memories of networks are: what is done to each tensor of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def map_leaves(function: Callable[[Tensor], Tensor], nested: Any) -> Any:
    """Applies a function to every tensor of a nested tuple.

    Args:
        function: from a tensor to a tensor.
        nested: a tensor, or a tuple or NamedTuple of such, to any depth.

    Returns:
        The same nest (NamedTuples keep their type) of the function's results.

    Raises:
        TypeError: a leaf is no tensor.
    """
    if isinstance(nested, Tensor):
        return function(nested)
    if isinstance(nested, tuple):
        parts = [map_leaves(function, part) for part in nested]
        return type(nested)(*parts) if hasattr(nested, "_fields") else tuple(parts)
    raise _not_nested(nested)


def leaves(nested: Any) -> Iterator[Tensor]:
    """Gives the tensors of a nested tuple, first to last.

    Raises:
        TypeError: a leaf is no tensor.
    """
    if isinstance(nested, Tensor):
        yield nested
    elif isinstance(nested, tuple):
        for part in nested:
            yield from leaves(part)
    else:
        raise _not_nested(nested)


def select_rows(nested: Any, rows: Tensor) -> Any:
    """Selects rows of every tensor.

    Args:
        nested: nested tuple of tensors, each (rows, ...).
        rows: (selected,) int64, in any order, with repetitions.

    Returns:
        The same nest, each tensor (selected, ...).
    """
    return map_leaves(lambda leaf: leaf.index_select(0, rows), nested)


def repeat_rows(nested: Any, width: int) -> Any:
    """Repeats every row `width` times, sentence-major: row r becomes rows r x width to (r + 1) x width - 1.

    Args:
        nested: nested tuple of tensors, each (batch, ...).
        width: hypotheses per sentence.

    Returns:
        The same nest, each tensor (batch x width, ...); the very same one for width 1.
    """
    return nested if width == 1 else map_leaves(lambda leaf: leaf.repeat_interleave(width, 0), nested)


def batch_size(nested: Any) -> int:
    """Counts the rows of the first tensor.

    Args:
        nested: nested tuple of tensors, each (rows, ...).

    Returns:
        The number of rows.

    Raises:
        ValueError: there is no tensor in the nest.
    """
    leaf = nested
    while isinstance(leaf, tuple):
        filled = [part for part in leaf if isinstance(part, Tensor) or part]
        if not filled:
            raise ValueError("a nest without any tensor has no rows to count")
        leaf = filled[0]
    return leaf.size(0)


def _not_nested(leaf: object) -> TypeError:
    return TypeError(f"a nested state holds tensors and tuples only, found {type(leaf).__name__}")
