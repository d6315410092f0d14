"""When finished sentences leave a batch, and how often the host looks."""

from __future__ import annotations

from torch import Tensor

SIZES_AN_OCTAVE = 4
"""Sizes of a batch that sentences have left, between one power of two and the next."""

STEPS_BETWEEN_LOOKS = 4
"""On an accelerator the host looks only every so many steps who is finished, as looking stalls the device."""


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
