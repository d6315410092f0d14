"""The contract of decoding: the step function, the hypothesis and the strategy that makes one of the other."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from s2s_lab.decoding.candidates import NextSymbol
from s2s_lab.faults import RequestError, RunError


class StepFunction(Protocol):
    """One step of any network (or of anything else that gives scores to the next symbol)."""

    def __call__(self, previous_ids: Tensor, state: Any, memory: Any, /) -> tuple[Tensor, Any, Tensor | None]:
        """Advances every row by one symbol.

        Args:
            previous_ids: (rows,) int64, bos at first; rows = sentences x width, sentence-major.
            state: nested tuples of tensors (rows, ...).
            memory: nested tuples of tensors (sentences, ...), never repeated for the width.

        Returns:
            scores (rows, vocab), logits or log-probabilities, not changed by the caller; the next state;
            attention weights (rows, source_len) or None.
        """
        ...


@dataclass(frozen=True)
class Hypothesis:
    """One output for one sentence.

    Attributes:
        ids: its symbols without bos and eos.
        log_prob: natural log of the model's probability, eos included when finished.
        score: what the strategy ranks by; higher is better.
        finished: whether it ends in eos; else it was cut at the length limit.
        weights: (symbols, eos included when finished; source_len of this sentence) attention, on the CPU, or
            None when not asked for or when the model has none.
    """

    ids: tuple[int, ...]
    log_prob: float
    score: float
    finished: bool
    weights: Tensor | None = None


class Found(NamedTuple):
    """What a search found, as tensors; `n` hypotheses for each sentence, best first.

    Attributes:
        ids: (batch, n, target_len) int64, meaningless from `lengths` on.
        lengths: (batch, n) int64, without eos.
        log_probs: (batch, n).
        scores: (batch, n), -inf where there is no hypothesis.
        finished: (batch, n) bool.
        weights: (batch, n, target_len, source_len) or None.
    """

    ids: Tensor
    lengths: Tensor
    log_probs: Tensor
    scores: Tensor
    finished: Tensor
    weights: Tensor | None


class DecodingStrategy(ABC):
    """Makes n-best hypotheses of a step function; the result does not depend on how sentences are batched.

    A length counts symbols with eos. A sentence's limit is
    min(max_length, ceil(max_length_ratio x source_length) + max_length_constant), at least 1, source_length as
    handed in; a hypothesis that has no eos by then is cut and returned with finished=False. Banned ids get
    probability 0 without the others being renormalised: a log-probability is always the model's own.

    Args:
        bos: id fed at the first step.
        eos: id that ends a hypothesis.
        banned: ids that are never chosen; eos may not be one.
        max_length: absolute limit in symbols, at least 1.
        max_length_ratio: relative limit in symbols per source symbol, above 0; None for no relative limit.
        max_length_constant: added to the relative limit, at least 0.
        min_length: eos is forbidden before so many other symbols, at least 0.

    Attributes:
        name: how the strategy is called in signatures and folders.
        num_hypotheses: the n of n-best.

    Raises:
        RequestError: an option is out of its range.
    """

    name: ClassVar[str]
    num_hypotheses: int = 1

    def __init__(
        self,
        *,
        bos: int,
        eos: int,
        banned: Sequence[int] = (),
        max_length: int = 200,
        max_length_ratio: float | None = 3.0,
        max_length_constant: int = 30,
        min_length: int = 0,
    ) -> None:
        self.bos = bos
        self.eos = eos
        self.banned = tuple(sorted(set(banned)))
        self.max_length = whole_number("max_length", max_length, 1)
        self.max_length_ratio = (
            max_length_ratio if max_length_ratio is None else positive("max_length_ratio", max_length_ratio)
        )
        self.max_length_constant = whole_number("max_length_constant", max_length_constant, 0)
        self.min_length = whole_number("min_length", min_length, 0)
        if eos in self.banned:
            raise RequestError(f"decoding.banned holds {eos}, the id of eos, expected other ids: no output could end")
        if self.min_length >= self.max_length:
            raise RequestError(
                f"decoding.min_length is {min_length}, expected less than decoding.max_length ({max_length})"
            )

    @abstractmethod
    def options(self) -> tuple[str, ...]:
        """Returns every own option that changes the output, each as `name:value`."""

    @abstractmethod
    def search(
        self,
        step: StepFunction,
        state: Any,
        memory: Any,
        *,
        limits: Tensor,
        sentence_index: Tensor,
        weights: bool,
        exact: bool = False,
    ) -> Found:
        """Searches one batch of at least one sentence.

        Args:
            step: the network's step.
            state: nested tuples of tensors (batch, ...).
            memory: nested tuples of tensors (batch, ...).
            limits: (batch,) int64, the most steps of each sentence, at least 1.
            sentence_index: (batch,) int64, the sentence's place in its split; seeds its noise.
            weights: whether to keep the attention weights.
            exact: whether every hypothesis takes exactly as many steps as its sentence's limit; see `next_symbol`.

        Returns:
            What was found.
        """

    def signature(self, *, exact: bool = False) -> str:
        """Returns all that changes the output of the strategy, on one line without spaces.

        Args:
            exact: whether each sentence's length is given, which leaves nothing to the strategy's own limits.
        """
        ratio = "none" if self.max_length_ratio is None else f"{self.max_length_ratio:g}"
        limits = (f"min:{self.min_length}", f"max:{self.max_length},{ratio}x+{self.max_length_constant}")
        limits = ("length:reference",) if exact else limits
        return "|".join((self.name, *self.options(), *limits, "ban:" + (",".join(map(str, self.banned)) or "none")))

    @torch.inference_mode()
    def decode(
        self,
        step: StepFunction,
        state: Any,
        memory: Any,
        *,
        source_lengths: Tensor,
        sentence_index: Tensor,
        return_weights: bool = False,
        exact_lengths: Tensor | None = None,
    ) -> list[list[Hypothesis]]:
        """Decodes one batch.

        Args:
            step: the network's step.
            state: nested tuples of tensors (batch, ...).
            memory: nested tuples of tensors (batch, ...).
            source_lengths: (batch,) int64, in source symbols.
            sentence_index: (batch,) int64, the sentence's place in its split.
            return_weights: whether hypotheses carry their attention weights.
            exact_lengths: (batch,) int64, symbols without eos that every hypothesis of a sentence has exactly, in place
                of the strategy's own limits; None for those. The log-probability is the model's own, eos included.

        Returns:
            For each sentence its hypotheses, best first, at most `num_hypotheses`; fewer only where fewer exist.

        Raises:
            RunError: a sentence got no hypothesis or one whose log-probability is no number.
        """
        if len(source_lengths) == 0:
            return []
        found = self.search(
            step,
            state,
            memory,
            limits=self.limits(source_lengths) if exact_lengths is None else exact_lengths + 1,
            sentence_index=sentence_index,
            weights=return_weights,
            exact=exact_lengths is not None,
        )
        return _hypotheses(found, source_lengths.tolist(), sentence_index.tolist())

    def limits(self, source_lengths: Tensor) -> Tensor:
        """Gives the most symbols, eos included, that each sentence may get.

        Args:
            source_lengths: (batch,) int64.

        Returns:
            (batch,) int64.
        """
        limits = torch.full_like(source_lengths, self.max_length, dtype=torch.int64)
        if self.max_length_ratio is None:
            return limits
        relative = torch.ceil(self.max_length_ratio * source_lengths.double()).long() + self.max_length_constant
        return torch.minimum(limits, relative).clamp_(min=1)

    def next_symbol(self, device: torch.device, *, exact: bool = False) -> NextSymbol:
        """Makes what normalises each step's scores and forbids the banned ids, and eos while it is too early.

        Args:
            device: where the scores live.
            exact: whether eos is the one symbol of a sentence's last step and forbidden before; its limit is the step.
        """
        return NextSymbol(
            early=(*self.banned, self.eos),
            later=self.banned,
            min_length=self.min_length,
            device=device,
            ending=self.eos if exact else None,
        )


def whole_number(name: str, value: Any, least: int) -> int:
    """Returns a whole number as it is.

    Raises:
        RequestError: it is none, or below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise RequestError(f"decoding.{name} is {value!r}, expected a whole number of at least {least}")
    return value


def positive(name: str, value: Any, most: float = math.inf) -> float:
    """Returns a finite number above 0 as it is.

    Raises:
        RequestError: it is none, or not above 0, or above `most`.
    """
    proper = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    if not proper or not 0 < value <= most:
        upper = "" if most == math.inf else f" and at most {most:g}"
        raise RequestError(f"decoding.{name} is {value!r}, expected a number above 0{upper}")
    return value


def _hypotheses(found: Found, source_lengths: list[int], sentence_index: list[int]) -> list[list[Hypothesis]]:
    """Turns tensors into hypotheses, one transfer for each tensor."""
    ids, lengths = found.ids.tolist(), found.lengths.tolist()
    log_probs, scores, finished = found.log_probs.tolist(), found.scores.tolist(), found.finished.tolist()
    weights = None if found.weights is None else found.weights.cpu()
    sentences = []
    for row, source_length in enumerate(source_lengths):
        hypotheses = []
        for n, score in enumerate(scores[row]):
            if score == -math.inf:
                continue
            length = lengths[row][n]
            shown = None if weights is None else weights[row, n, : length + finished[row][n], :source_length].clone()
            hypothesis = Hypothesis(tuple(ids[row][n][:length]), log_probs[row][n], score, finished[row][n], shown)
            if math.isnan(hypothesis.log_prob):
                raise RunError(f"decoding: sentence {sentence_index[row]} got a log-probability that is not a number")
            hypotheses.append(hypothesis)
        if not hypotheses:
            raise RunError(f"decoding: sentence {sentence_index[row]} got no hypothesis: every symbol was impossible")
        sentences.append(hypotheses)
    return sentences
