"""From what a beam search wrote down to its hypotheses: ranks the ends and walks back from the best of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.ancestry import walk_back, weights_of
from s2s_lab.decoding.base import Found
from s2s_lab.decoding.beam_state import BeamRecord
from s2s_lab.decoding.candidates import top
from s2s_lab.decoding.length_penalty import LengthPenalty


class Ends(NamedTuple):
    """The best ends of hypotheses, each part (batch, n), best first.

    Attributes:
        scores: -inf where there is none.
        sums: what the scores were made of.
        lengths: int64, eos included when finished.
        finished: bool, whether it ends in eos.
        slots: int64, after its last step but eos.
        places: int64, its column in `laid_out`.
    """

    scores: Tensor
    sums: Tensor
    lengths: Tensor
    finished: Tensor
    slots: Tensor
    places: Tensor


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
    ends = best_ends(record, limits, penalty, num, vocab)
    symbols = ends.lengths - ends.finished.long()
    moves = torch.arange(len(record.live), device=limits.device).view(-1, 1, 1) < symbols
    path = walk_back(record.live_codes.div(vocab, rounding_mode="floor"), moves, ends.slots)
    before, after = path[:-1], path[1:]
    sums = ends.sums
    if record.live_own is not None and record.ending_own is not None:
        own_end = laid_out(record.ending_own, record.live_own, record.active).gather(1, ends.places)
        own = record.live_own.gather(2, after).masked_fill_(~moves, 0.0)
        sums = own.sum(0, dtype=torch.float64) + own_end.masked_fill(~ends.finished, 0.0)
    return Found(
        ids=record.live_codes.gather(2, after).remainder(vocab).permute(1, 2, 0),
        lengths=symbols,
        log_probs=sums,
        scores=ends.scores,
        finished=ends.finished,
        weights=None if record.attention is None else weights_of(record.attention, before),
    )


def best_ends(record: BeamRecord, limits: Tensor, penalty: LengthPenalty, num: int, vocab: int) -> Ends:
    """Ranks what finished and what was cut at its limit.

    Args:
        record: of the whole search, each part (steps, batch, ...).
        limits: (batch,) int64.
        penalty: gives the scores; at equal ones the earlier end is the better.
        num: ends wanted for each sentence.
        vocab: the vocabulary's size.
    """
    active = record.active
    steps, batch, size = record.ending.shape
    taken = active.sum(0)
    lengths = torch.arange(1, steps + 1, device=limits.device).repeat_interleave(size).expand(batch, -1)
    lengths = torch.cat((lengths, taken.unsqueeze(1).expand(batch, size)), 1)
    sums = laid_out(record.ending.masked_fill(~active.unsqueeze(2), -torch.inf), record.live, active)
    sums[:, steps * size :].masked_fill_((taken < limits).unsqueeze(1), -torch.inf)
    scores, places = top(penalty.score(sums, lengths), num)
    finished = places < steps * size
    # A finished one's last symbol is eos: its slot holds a candidate, whose code names the parent.
    by_candidate = record.codes.transpose(0, 1).flatten(1).gather(1, places.clamp(max=steps * size - 1))
    slots = torch.where(finished, by_candidate.div(vocab, rounding_mode="floor"), places.remainder(size))
    return Ends(scores, sums.gather(1, places), lengths.gather(1, places), finished, slots, places)


def laid_out(ending: Tensor, live: Tensor, active: Tensor) -> Tensor:
    """Puts what belongs to a sentence's ends side by side: those of each step, then those alive after its last one.

    Args:
        ending: (steps, batch, size).
        live: (steps, batch, size).
        active: (steps, batch) bool, whether the sentence's search went on until this step.

    Returns:
        (batch, steps x size + size).
    """
    last = (active.sum(0) - 1).view(1, -1, 1).expand(1, -1, live.size(2))
    return torch.cat((ending.transpose(0, 1).flatten(1), live.gather(0, last).squeeze(0)), 1)
