"""The best candidates among many log-probabilities: exact, fast, ties to the lower index on every device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.constraints.base import Constraint

BLOCK = 64
"""Neighbouring ids whose maximum is taken first; only the best blocks are then looked into."""

_LOW_BITS = 0xFFFFFFFF


class NextSymbol:
    """Normalises each step's scores and forbids ids, in memory that is used again at the next step.

    Scores are normalised in at least float32; log-probabilities stay as they are, up to rounding. Forbidden ids
    get -inf and the others are not renormalised. One fused pass over the scores costs less than a separate
    sum of exponentials, and fresh memory for so large a result would cost more than the pass.

    Args:
        early: ids forbidden before `min_length` symbols.
        later: ids forbidden from then on.
        min_length: steps for which `early` holds.
        device: where the scores live.
        ending: the one id that is allowed at a sentence's last step and forbidden at all others, in place of `early`
            and `min_length`; None where a sentence may end at any step.
        constraints: forbid further ids, or change what the next symbol is chosen by; the state that is handed in is
            then that of `constrained_step`.

    Attributes:
        own: where a constraint is soft, the model's own (rows, vocab) log-probabilities of the last call, without
            anything forbidden; else None, what the call gave being the model's own.
    """

    def __init__(
        self,
        *,
        early: Sequence[int],
        later: Sequence[int],
        min_length: int,
        device: torch.device,
        ending: int | None = None,
        constraints: Sequence[Constraint] = (),
    ) -> None:
        self._early = torch.tensor(early, dtype=torch.int64, device=device)
        self._later = torch.tensor(later, dtype=torch.int64, device=device)
        self._min_length, self._ending = min_length, ending
        self._constraints = constraints
        self._soft = any(constraint.soft for constraint in constraints)
        self.own: Tensor | None = None
        self._room: Tensor | None = None

    def __call__(self, scores: Tensor, step: int, limits: Tensor, state: Any = None) -> Tensor:
        """Gives log-probabilities, valid until the next call.

        Args:
            scores: (rows, vocab) logits or log-probabilities, left as they are.
            step: from 0.
            limits: (sentences,) int64, the number of steps of each sentence; rows = sentences x width, sentence-major.
            state: as the step gave it with these scores; read where there are constraints.

        Returns:
            (rows, vocab) natural log-probabilities, contiguous, float32 (float64 for float64 scores), -inf at
            forbidden ids; as soft constraints changed them, where there are some.
        """
        rows, vocab = scores.shape
        if self._room is None or len(self._room) < rows:
            dtype = torch.float64 if scores.dtype == torch.float64 else torch.float32
            self._room = torch.empty((rows, vocab), dtype=dtype, device=scores.device)
        room = self._room[:rows]
        torch.log_softmax(scores, -1, dtype=room.dtype, out=room)
        self.own = room.clone() if self._soft else None
        for constraint, kept in zip(self._constraints, state[1] if self._constraints else (), strict=True):
            constraint.adjust(room, kept, step)
        if self._ending is None:
            return room.index_fill_(1, self._early if step < self._min_length else self._later, -torch.inf)
        last = (limits == step + 1).repeat_interleave(rows // len(limits))
        of_ending = room[:, self._ending].masked_fill(~last, -torch.inf)
        room.index_fill_(1, self._later, -torch.inf).masked_fill_(last.unsqueeze(1), -torch.inf)
        room[:, self._ending] = of_ending
        return room


def top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Selects the largest values of each row; equal values go in the order of their positions.

    `torch.topk` leaves the order of equal values open. Float32 values are therefore compared as integers that
    hold the value's bits (monotone) above the position's; float64 values, or all of a row, are sorted stably.

    Args:
        values: (rows, columns) float32 or float64.
        count: how many; at most the columns.

    Returns:
        The values (rows, count), largest first, and their positions (rows, count) int64.
    """
    if values.dtype == torch.float64 or count == values.size(1):
        ordered, positions = values.sort(dim=-1, descending=True, stable=True)
        return ordered[:, :count], positions[:, :count]
    bits = values.contiguous().view(torch.int32)
    keys = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long() << 32
    keys |= torch.arange(_LOW_BITS, _LOW_BITS - values.size(1), -1, device=values.device)
    positions = _LOW_BITS - (keys.topk(count, -1).values & _LOW_BITS)
    return values.gather(1, positions), positions


def reduce_blocks(values: Tensor, reduce: Callable[..., Tensor], block: int = BLOCK) -> Tensor:
    """Reduces each block of neighbouring columns to one number; the last block may be shorter.

    Args:
        values: (rows, vocab), contiguous.
        reduce: `torch.amax` or `torch.sum`.
        block: columns in a block; at most vocab.

    Returns:
        (rows, blocks).
    """
    whole = values.size(1) // block
    reduced = reduce(values[:, : whole * block].unflatten(1, (whole, block)), dim=-1)
    if whole * block == values.size(1):
        return reduced
    return torch.cat((reduced, reduce(values[:, whole * block :], dim=-1, keepdim=True)), 1)


def best_of_each_row(log_probs: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the largest log-probability of each row; the lower id wins a tie.

    Args:
        log_probs: (rows, vocab), contiguous.

    Returns:
        The log-probabilities (rows,) and their ids (rows,) int64.
    """
    rows, vocab = log_probs.shape
    if vocab < 8 * BLOCK or rows < 16:
        best, ids = log_probs.max(-1)
        return best, ids
    best, blocks = reduce_blocks(log_probs, torch.amax).max(-1)
    starts = blocks * BLOCK
    columns = (starts.unsqueeze(1) + torch.arange(BLOCK, device=log_probs.device)).clamp_(max=vocab - 1)
    return best, starts + log_probs.gather(1, columns).argmax(-1)


def best_of_sentences(log_probs: Tensor, so_far: Tensor, count: int, block: int = BLOCK) -> tuple[Tensor, Tensor]:
    """Finds the best one-symbol continuations among all hypotheses of each sentence.

    The `count` best blocks of ids over all hypotheses of a sentence hold its `count` best candidates: a
    candidate in any other block is preceded by the best one of each of those. So one pass over the scores and
    a search among `count` x `block` values give what a search among width x vocab values would.

    Args:
        log_probs: (batch x width, vocab), contiguous.
        so_far: (batch, width) log-probabilities of the hypotheses that are continued; -inf for a dead one.
        count: candidates wanted; at most width x vocab.
        block: ids in a block.

    Returns:
        Summed log-probabilities (batch, count), largest first, and codes (batch, count) int64, a code being
        parent x vocab + id with `parent` in 0..width-1. Equal ones go to the lower code.
    """
    batch, width = so_far.shape
    vocab = log_probs.size(1)
    if vocab < 4 * block or width * (vocab // block) <= count:
        sums = log_probs.view(batch, width, vocab) + so_far.unsqueeze(2)
        return top(sums.flatten(1), count)
    maxima = reduce_blocks(log_probs, torch.amax, block)
    blocks = maxima.size(1)
    _, chosen = top((maxima.view(batch, width, blocks) + so_far.unsqueeze(2)).flatten(1), count)
    chosen = chosen.sort(-1).values  # so that positions below are in the order of codes
    parents = chosen.div(blocks, rounding_mode="floor")
    ids = ((chosen - parents * blocks) * block).unsqueeze(2) + torch.arange(block, device=chosen.device)
    outside = ids >= vocab  # in the last block, when it is shorter
    codes = (parents * vocab).unsqueeze(2) + ids.clamp_(max=vocab - 1)  # (batch, count, block)
    sentences = torch.arange(0, batch * width * vocab, width * vocab, device=chosen.device).view(batch, 1, 1)
    found = torch.take(log_probs, sentences + codes)
    sums = (found + so_far.gather(1, parents).unsqueeze(2)).masked_fill_(outside, -torch.inf)
    values, positions = top(sums.flatten(1), count)
    return values, codes.flatten(1).gather(1, positions)
