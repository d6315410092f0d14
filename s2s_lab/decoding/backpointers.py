"""From what a beam search wrote down to its hypotheses: ranks the ends and walks back from the best of them."""

from __future__ import annotations

import torch
from torch import Tensor

from s2s_lab.decoding.base import Found
from s2s_lab.decoding.beam_state import BeamRecord
from s2s_lab.decoding.candidates import top
from s2s_lab.decoding.length_penalty import LengthPenalty


def found_in(record: BeamRecord, limits: Tensor, penalty: LengthPenalty, num: int, vocab: int) -> Found:
    """Ranks what finished and what was cut at its limit, and reads the symbols of the best.

    Args:
        record: of the whole search, each part (steps, batch, ...).
        limits: (batch,) int64.
        penalty: gives the scores; at equal ones the earlier end is the better.
        num: hypotheses wanted for each sentence.
        vocab: the vocabulary's size.

    Returns:
        The hypotheses; their log-probabilities are the sums of the single symbols' where the record has these.
    """
    active, ending, codes, live, live_codes = record[:5]
    steps, batch, size = ending.shape
    taken = active.sum(0)  # steps that each sentence took, its last one included
    ending = ending.masked_fill(~active.unsqueeze(2), -torch.inf)
    last = live.gather(0, (taken - 1).view(1, batch, 1).expand(1, batch, size)).squeeze(0)
    cut = last.masked_fill((taken < limits).unsqueeze(1), -torch.inf)
    lengths = torch.arange(1, steps + 1, device=limits.device).repeat_interleave(size).expand(batch, -1)
    lengths = torch.cat((lengths, taken.unsqueeze(1).expand(batch, size)), 1)
    sums = torch.cat((ending.transpose(0, 1).flatten(1), cut), 1)  # (batch, steps x size + size)
    scores, places = top(penalty.score(sums, lengths), num)
    finished = places < steps * size
    lengths, sums = lengths.gather(1, places), sums.gather(1, places)
    slots = places.remainder(size)
    # A finished one's last symbol is eos: its slot holds a candidate, whose code names the parent.
    at_end = places.clamp(max=steps * size - 1)
    by_candidate = codes.transpose(0, 1).flatten(1).gather(1, at_end)
    slots = torch.where(finished, by_candidate.div(vocab, rounding_mode="floor"), slots)
    ids, parents = _walk_back(live_codes, slots, lengths, finished, vocab)
    symbols = lengths - finished.long()
    if record.live_own is not None and record.ending_own is not None:
        own_end = record.ending_own.transpose(0, 1).flatten(1).gather(1, at_end)
        after = torch.cat((parents[1:], slots.unsqueeze(0)))  # the slots that each step's symbol came to
        own = record.live_own.gather(2, after).masked_fill_(_steps(parents) >= symbols, 0.0)
        sums = own.sum(0, dtype=torch.float64) + own_end.masked_fill(~finished, 0.0)
    attention = None
    if record.attention is not None:
        shape = (*parents.shape, record.attention.size(-1))
        attention = record.attention.gather(2, parents.unsqueeze(3).expand(shape)).permute(1, 2, 0, 3)
    return Found(ids.permute(1, 2, 0), symbols, sums, scores, finished, attention)


def _steps(parents: Tensor) -> Tensor:
    """Numbers the steps, (steps, 1, 1)."""
    return torch.arange(len(parents), device=parents.device).view(-1, 1, 1)


def _walk_back(
    live_codes: Tensor, slots: Tensor, lengths: Tensor, finished: Tensor, vocab: int
) -> tuple[Tensor, Tensor]:
    """Follows the back-pointers of all hypotheses at once, from the last step to the first.

    Args:
        live_codes: (steps, batch, size) int64, parent x vocab + id of the hypotheses alive after each step.
        slots: (batch, n) int64; of a finished hypothesis the slot of its eos' parent, of a cut one its own.
        lengths: (batch, n) int64, eos included when finished.
        finished: (batch, n) bool.
        vocab: the vocabulary's size.

    Returns:
        The ids without eos, and the slots that each step's symbol (eos too) continued, each (steps, batch, n).
    """
    steps = len(live_codes)
    symbols = lengths - finished.long()
    codes, parents = [], []
    for t in range(steps - 1, -1, -1):
        code = live_codes[t].gather(1, slots)
        codes.append(code)
        before = code.div(vocab, rounding_mode="floor")
        parents.append(torch.where(symbols > t, before, slots))
        slots = parents[-1]
    codes.reverse()
    parents.reverse()
    return torch.stack(codes).remainder(vocab), torch.stack(parents)
