"""What a beam search hands from step to step, and what it writes down at each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from torch import Tensor

from s2s_lab.nested import select_rows


class BeamState(NamedTuple):
    """What one step of the search hands to the next; `size` live hypotheses, best first.

    Attributes:
        live: (batch, width) summed log-probabilities, as soft constraints changed them; -inf for a dead one; width 1 at
            the first step, then size.
        ids: (batch x width,) int64, the last symbols.
        limits: (batch,) int64.
        count: (batch,) int64, hypotheses finished so far.
        kept: (batch, num_hypotheses) scores of the best finished ones, best first, -inf where missing; no
            columns unless the stopping rule needs them.
        done: (batch,) bool, the sentence's search has ended.
        of_variant: what a variant of the search keeps besides: nested tuples of tensors (batch, ...).
    """

    live: Tensor
    ids: Tensor
    limits: Tensor
    count: Tensor
    kept: Tensor
    done: Tensor
    of_variant: Any = ()

    def staying(self, kept: Tensor) -> BeamState:
        """Gives the search of some sentences.

        Args:
            kept: (staying,) int64, their places in the batch.
        """
        by_sentence = self._replace(ids=self.ids.view(len(self.limits), -1))
        stayed = BeamState(*select_rows(tuple(by_sentence), kept))
        return stayed._replace(ids=stayed.ids.flatten())


class BeamRecord(NamedTuple):
    """What is written down of each step; (batch, ...) when it is, (steps, batch, ...) when the search has ended.

    A code is parent x vocab + id, the parent being a slot of the beam before the step.

    Attributes:
        active: (...,) bool, whether the sentence's search went on until this step.
        ending: (..., size) summed log-probabilities of the first size candidates that finished, -inf elsewhere.
        codes: (..., size) int64, of the first size candidates.
        live: (..., size) summed log-probabilities of the hypotheses alive after the step.
        live_codes: (..., size) int64, theirs.
        attention: (..., size, source_len) weights of the beam before the step; None where not asked for.
        ending_own: (..., size) the model's own log-probabilities of the single symbols of `codes`; None where `ending`
            and `live` are sums of these and nobody traces the search.
        live_own: (..., size) the same of `live_codes`.
        seen: (..., count) int64, codes of the 2 x size best candidates, best first; this and the next are for a trace.
        seen_sums: (..., count) their summed log-probabilities, as `live`.
        seen_own: (..., count) the model's own log-probabilities of their single symbols.
        seen_into: (..., count) int64, codes of those that they were merged into; their own codes where they were not.
    """

    active: Tensor
    ending: Tensor
    codes: Tensor
    live: Tensor
    live_codes: Tensor
    attention: Tensor | None = None
    ending_own: Tensor | None = None
    live_own: Tensor | None = None
    seen: Tensor | None = None
    seen_sums: Tensor | None = None
    seen_own: Tensor | None = None
    seen_into: Tensor | None = None

    def with_own(self, own: Tensor) -> BeamRecord:
        """Adds, at one step, what the model itself gives to the symbols.

        Args:
            own: (batch x width, vocab) log-probabilities.
        """
        by_code = own.view(len(self.codes), -1)
        ending_own, live_own = by_code.gather(1, self.codes), by_code.gather(1, self.live_codes)
        seen_own = None if self.seen is None else by_code.gather(1, self.seen)
        return self._replace(ending_own=ending_own, live_own=live_own, seen_own=seen_own)

    def present(self) -> tuple[Tensor, ...]:
        """Gives what is there, in order."""
        return tuple([part for part in self if part is not None])

    def filled(self, parts: Iterable[Tensor]) -> BeamRecord:
        """Gives the record that has these parts where this one has any."""
        names = [name for name, part in self._asdict().items() if part is not None]
        return self._replace(**dict(zip(names, parts, strict=True)))
