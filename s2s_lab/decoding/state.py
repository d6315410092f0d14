"""Rows of nested tuples of tensors: select, repeat and count them without knowing any network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

SIZES_AN_OCTAVE = 4
"""Sizes of a batch that sentences have left, between one power of two and the next."""

STEPS_BETWEEN_LOOKS = 4
"""On an accelerator the host looks only every so many steps who is finished, as looking stalls the device."""


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
    raise TypeError(f"a nested state holds tensors and tuples only, found {type(nested).__name__}")


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


def room_for(running: int) -> int:
    """Gives the size of a batch for so many sentences that are not finished: with a few finished ones, if need be.

    Each size asks the libraries of matrix products for kernels of its own, which cost more to make than they save; so
    there are `SIZES_AN_OCTAVE` sizes to each doubling, and every one up to twice that. The rule changes the time that
    a decoding takes and nothing else.
    """
    unit = 1 << max(0, (running - 1).bit_length() - (2 * SIZES_AN_OCTAVE - 1).bit_length())
    return -(-running // unit) * unit


def staying(done: Tensor) -> Tensor | None:
    """Says, by the rule of `room_for`, which sentences stay in the batch; the host waits for the device.

    Args:
        done: (batch,) bool, at least one sentence; which of them have ended.

    Returns:
        Places (staying,) int64, ascending, none once all have ended; None while nobody leaves.
    """
    size = room_for(len(done) - int(done.sum()))
    return done.byte().argsort(stable=True)[:size].sort().values if size < len(done) else None


def look_due(step: int, on_accelerator: bool) -> bool:
    """Says whether the host should look after this step (from 0) at which sentences are finished."""
    return not on_accelerator or step % STEPS_BETWEEN_LOOKS == STEPS_BETWEEN_LOOKS - 1
