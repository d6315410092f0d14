"""Pure functions on the log-probabilities of the next symbol: sharpen, restrict, draw."""

from __future__ import annotations

import torch
from torch import Tensor

from s2s_lab.decoding.candidates import BLOCK, best_of_sentences, reduce_blocks

_FIRST_LOOK = 256


def temperature(log_probs: Tensor, value: float) -> Tensor:
    """Divides log-probabilities by a temperature, the largest being moved to 0 first.

    Args:
        log_probs: (rows, vocab), unnormalised is fine; -inf where impossible.
        value: above 0; below 1 sharpens, towards 0 only the most probable stay.

    Returns:
        (rows, vocab), unnormalised; the very same tensor for temperature 1.
    """
    return log_probs if value == 1 else (log_probs - log_probs.amax(-1, keepdim=True)) / value


def top_k(log_probs: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Keeps the k most probable symbols; the lower id wins a tie.

    Args:
        log_probs: (rows, vocab), contiguous.
        k: at least 1; more than vocab means vocab.

    Returns:
        Their log-probabilities (rows, k), not renormalised, most probable first, and their ids (rows, k).
    """
    nothing = log_probs.new_zeros((len(log_probs), 1))
    return best_of_sentences(log_probs, nothing, min(k, log_probs.size(1)))


def top_p(log_probs: Tensor, p: float) -> Tensor:
    """Keeps the smallest number of leading symbols whose renormalised probability reaches p, at least one.

    Paper: Holtzman et al. 2020, arXiv 1904.09751, equation 2. Deviation: none.

    Args:
        log_probs: (rows, candidates), most probable first, unnormalised.
        p: above 0 and at most 1.

    Returns:
        (rows, candidates), -inf for the symbols left out.
    """
    return _cut(log_probs, torch.logsumexp(log_probs, -1, keepdim=True), p)


def nucleus(log_probs: Tensor, p: float) -> tuple[Tensor, Tensor]:
    """Gives what `top_p` keeps of a whole vocabulary, sorting all of it only when it must.

    Args:
        log_probs: (rows, vocab), contiguous, in any order, unnormalised.
        p: above 0 and at most 1.

    Returns:
        Log-probabilities (rows, candidates), most probable first, -inf for those left out, and their ids.
    """
    normalizer = torch.logsumexp(log_probs, -1, keepdim=True)
    values, ids = top_k(log_probs, _FIRST_LOOK)
    if values.size(1) < log_probs.size(1) and bool(((values - normalizer).exp().sum(-1) < p).any()):
        values, ids = top_k(log_probs, log_probs.size(1))
    return _cut(values, normalizer, p), ids


def _cut(ordered: Tensor, normalizer: Tensor, p: float) -> Tensor:
    """Leaves out each symbol before which probability p is reached already."""
    probabilities = (ordered - normalizer).double().exp()
    before = probabilities.cumsum(-1) - probabilities
    before[:, 0] = 0.0
    return ordered.masked_fill(before >= p, -torch.inf)


def draw(log_probs: Tensor, uniforms: Tensor) -> Tensor:
    """Draws one position of each row by inverting its distribution function.

    Args:
        log_probs: (rows, columns), contiguous, unnormalised; -inf where impossible, which is never drawn.
        uniforms: (rows,) float64 in [0, 1).

    Returns:
        (rows,) int64.
    """
    weights = (log_probs - log_probs.amax(-1, keepdim=True)).exp_()
    columns = weights.size(1)
    if columns < 8 * BLOCK:
        return _invert(weights, uniforms)[0]
    blocks, rest = _invert(reduce_blocks(weights, torch.sum), uniforms)
    starts = blocks * BLOCK
    places = starts.unsqueeze(1) + torch.arange(BLOCK, device=weights.device)
    inside = weights.gather(1, places.clamp(max=columns - 1)).masked_fill_(places >= columns, 0.0)
    return (starts + _place(inside.double().cumsum(-1), rest)).clamp_(max=columns - 1)  # of a row that has none: any


def _invert(weights: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the column where the summed weights pass `uniforms` of their total, and how far into it that is."""
    sums = weights.double().cumsum(-1)
    goal = uniforms * sums[:, -1]
    columns = _place(sums, goal)
    before = sums.gather(1, (columns - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    return columns, goal - torch.where(columns > 0, before, 0.0)


def _place(sums: Tensor, goal: Tensor) -> Tensor:
    """Finds the first column whose sum exceeds the goal, the goal being held below the total."""
    total = sums[:, -1]
    goal = torch.minimum(goal, torch.nextafter(total, torch.zeros_like(total)))
    columns = torch.searchsorted(sums, goal.unsqueeze(1), right=True).squeeze(1)
    return columns.clamp_(max=sums.size(1) - 1)  # passed only where no column has any weight
