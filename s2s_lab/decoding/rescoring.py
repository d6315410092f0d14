"""Given outputs under a model: their log-probability and attention, one forced step after the other."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.history import History
from s2s_lab.decoding.state import look_due, staying
from s2s_lab.decoding.task import StepFunction
from s2s_lab.nested import repeat_rows, select_rows


class Rescored(NamedTuple):
    """What a model says of given outputs.

    Attributes:
        log_probs: (batch, n) float64, natural log.
        weights: (batch, n, target_len, source_len) attention, or None when not asked for or when the model has none.
    """

    log_probs: Tensor
    weights: Tensor | None


def rescore(
    step: StepFunction, state: Any, memory: Any, symbols: Tensor, counts: Tensor, *, bos: int, weights: bool
) -> Rescored:
    """Scores outputs; sentences that ended leave the batch by the rule of `state.room_for`.

    Args:
        step: the network's step.
        state: nested tuples of tensors (batch, ...).
        memory: nested tuples of tensors (batch, ...).
        symbols: (batch, n, target_len) int64, eos included where there is one; not read from `counts` on.
        counts: (batch, n) int64, symbols of each output.
        bos: id fed at the first step.
        weights: whether to keep the attention weights.

    Returns:
        The log-probabilities, nothing forbidden, and the attention.
    """
    batch, width, _ = symbols.shape
    on_accelerator = symbols.device.type != "cpu"
    history = History(batch, symbols.device)
    steps = counts.amax(1)
    left, targets = steps, symbols
    previous = targets.new_full((batch,), bos)
    for t in range(int(steps.max())):
        scores, state, attention = step(previous, state, memory)
        shown = (attention,) if weights and attention is not None else ()
        if t == 0:
            state, scores, shown = repeat_rows((state, scores, shown), width)
        previous = targets[:, :, t].flatten()
        dtype = torch.float64 if scores.dtype == torch.float64 else torch.float32
        found = scores.log_softmax(-1, dtype=dtype).gather(1, previous.unsqueeze(1)).squeeze(1)
        history.record(*(part.unflatten(0, (-1, width)) for part in (found, *shown)))
        kept = staying(left <= t + 1) if look_due(t, on_accelerator) else None
        if kept is not None:
            if len(kept) == 0:
                break
            history.keep(kept)
            memory, left, targets = select_rows((memory, left, targets), kept)
            rows = (kept.unsqueeze(1) * width + torch.arange(width, device=kept.device)).flatten()
            state, previous = select_rows((state, previous), rows)
    log_probs, *rest = history.stack()  # (steps, batch, n), (steps, batch, n, source_len)
    wanted = torch.arange(len(log_probs), device=symbols.device).view(-1, 1, 1) < counts
    sums = torch.where(wanted, log_probs, 0.0).sum(0, dtype=torch.float64)
    return Rescored(sums, rest[0].permute(1, 2, 0, 3) if rest else None)
