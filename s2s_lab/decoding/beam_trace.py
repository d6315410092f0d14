"""Tells what a beam search wrote down to a trace."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2s_lab.decoding.beam_state import BeamRecord
from s2s_lab.decoding.length_penalty import LengthPenalty
from s2s_lab.decoding.trace import Candidate, Fate, Trace


def tell(trace: Trace, record: BeamRecord, sentence_index: Tensor, penalty: LengthPenalty, vocab: int) -> None:
    """Tells every step of every sentence: the candidates seen, and those that lived on or finished besides.

    Args:
        trace: is told.
        record: of the whole search, each part (steps, batch, ...); with what is seen, and with the model's own values.
        sentence_index: (batch,) int64, the sentences' places in their split.
        penalty: gives the scores.
        vocab: the vocabulary's size.
    """
    steps = len(record.ending)
    lengths = torch.arange(1, steps + 1, device=record.ending.device).view(-1, 1, 1)
    scored = record._replace(
        ending=penalty.score(record.ending, lengths),
        live=penalty.score(record.live, lengths),
        seen_sums=penalty.score(_of(record.seen_sums), lengths),
    )
    plain = {name: part.tolist() for name, part in scored._asdict().items() if part is not None}
    for place, sentence in enumerate(sentence_index.tolist()):
        for step in range(steps):
            if plain["active"][step][place]:
                trace.step(sentence, _candidates({name: part[step][place] for name, part in plain.items()}, vocab))


def _of(part: Tensor | None) -> Tensor:
    """Gives a part that a record for a trace has.

    Raises:
        ValueError: it has none.
    """
    if part is None:
        raise ValueError("this search was not recorded for a trace")
    return part


def _candidates(step: dict[str, list], vocab: int) -> list[Candidate]:
    """Gives one sentence's candidates at one step, best first, from the lists of its record."""
    scores = dict(zip(step["seen"], step["seen_sums"], strict=True))
    own = dict(zip(step["seen"], step["seen_own"], strict=True))
    finished = {code: score for code, score in zip(step["codes"], step["ending"], strict=True) if score > -math.inf}
    own |= zip(step["codes"], step["ending_own"], strict=True)
    live = [
        (code, row, score)
        for row, (code, score) in enumerate(zip(step["live_codes"], step["live"], strict=True))
        if score > -math.inf
    ]
    rows = {code: row for code, row, _ in live}
    scores |= finished | {code: score for code, _, score in live}
    own |= zip(step["live_codes"], step["live_own"], strict=True)
    codes = sorted((code for code, score in scores.items() if score > -math.inf), key=lambda code: -scores[code])
    places = {code: place for place, code in enumerate(codes)}
    merged = {
        code: places.get(into) for code, into in zip(step["seen"], step["seen_into"], strict=True) if code != into
    }
    told = []
    for code in codes:
        fate: Fate = "finished" if code in finished else "kept" if code in rows else "cut"
        if fate == "cut" and merged.get(code) is not None:
            fate = "recombined"
        into = merged[code] if fate == "recombined" else None
        told.append(Candidate(code // vocab, code % vocab, own[code], scores[code], fate, rows.get(code), into))
    return told
