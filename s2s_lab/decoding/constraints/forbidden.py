"""Phrases that no output contains, or that the outputs of single sentences do not."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Phrase, Task
from s2s_lab.faults import RequestError

ANY = -1


class Forbidden(Constraint):
    """Forbids each symbol that would complete a phrase.

    Meets the demand of phrases forbidden to single sentences, and forbids its own ones to all.

    Args:
        phrases: texts forbidden to every sentence.
        ids: these phrases in ids without bos and eos, which whoever knows the vocabulary gives.

    Raises:
        RequestError: a phrase is no text, or is empty in ids.
    """

    meets = frozenset({"forbidden"})

    def __init__(self, *, phrases: Sequence[str] = (), ids: Sequence[Phrase] | None = None) -> None:
        if isinstance(phrases, str) or not all(isinstance(phrase, str) for phrase in phrases):
            raise RequestError(f"constraint.forbidden.phrases is {phrases!r}, expected a list of texts")
        if ids is not None and not all(ids):
            raise RequestError("constraint.forbidden.phrases holds an empty phrase, expected at least one symbol each")
        self.phrases = tuple(sorted(set(phrases)))
        self.ids = () if ids is None else tuple(sorted(set(map(tuple, ids))))
        self._lacks_ids = bool(self.phrases) and ids is None

    def signature(self) -> str:
        """Returns the name, and number and digest of the phrases that are forbidden to all."""
        named = self.phrases or self.ids
        return f"forbidden:{len(named)}:{hashlib.sha256(repr(named).encode()).hexdigest()[:8]}"

    def start(self, task: Task) -> Any:
        """Starts with each sentence's phrases and no symbols; see the base class.

        Raises:
            RequestError: a phrase is empty, or those of all sentences have no ids.
        """
        if self._lacks_ids:
            raise RequestError("constraint.forbidden.phrases are texts only, expected their ids beside them")
        own = task.demands.forbidden or [()] * len(task.limits)
        sentences = [(*self.ids, *map(tuple, phrases)) for phrases in own]
        if any(not phrase for phrases in sentences for phrase in phrases):
            raise RequestError("a forbidden phrase is empty, expected at least one symbol")
        count = max(map(len, sentences))
        longest = max((len(phrase) for phrases in sentences for phrase in phrases), default=1)
        none = (ANY,) * longest  # ends in ANY: completed by no symbol
        rows = [
            [(ANY,) * (longest - len(phrase)) + phrase for phrase in phrases] + [none] * (count - len(phrases))
            for phrases in sentences
        ]
        table = torch.tensor(rows, dtype=torch.int64, device=task.limits.device)
        table = table.view(len(sentences), count, longest)  # aligned at their ends
        return table, table.new_full((len(sentences), longest - 1), ANY - 1)

    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Keeps the last symbols that may begin a phrase; bos is in none; see the base class."""
        table, last = state
        return table, torch.cat((last, previous_ids.unsqueeze(1)), 1)[:, 1:]

    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Forbids what completes a phrase; see the base class."""
        table, last = state
        begun, completing = table[:, :, :-1], table[:, :, -1]
        met = ((begun == last.unsqueeze(1)) | (begun == ANY)).all(-1) & (completing != ANY)
        ids = completing.clamp(min=0)
        forbidden = log_probs.gather(1, ids).masked_fill_(met, -torch.inf)
        log_probs.scatter_reduce_(1, ids, forbidden, "amin")
