"""The contract of decoding: the step function, the hypothesis and the strategy that makes one of the other."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from s2s_lab.decoding.candidates import NextSymbol
from s2s_lab.decoding.checks import positive, whole_number
from s2s_lab.decoding.constraints.base import Constraint, constrained_step
from s2s_lab.decoding.task import Demands, StepFunction, Task, symbols_for
from s2s_lab.decoding.trace import Trace
from s2s_lab.decoding.without_replacement import Drawn
from s2s_lab.faults import RequestError, RunError

MET_BY = {
    "targets": "decoding=forced",
    "prefixes": "constraint=[prefix]",
    "required": "decoding=constrained_beam",
    "forbidden": "constraint=[forbidden]",
}
"""The strategy or constraint of ours that meets each demand, for messages."""


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
        drawn: what estimates need of it when it was drawn without replacement, else None.
        optimal: whether the search proved that no output within the length limit, but for those before it, has a higher
            score; None where the strategy proves nothing.
    """

    ids: tuple[int, ...]
    log_prob: float
    score: float
    finished: bool
    weights: Tensor | None = None
    drawn: Drawn | None = None
    optimal: bool | None = None


class Found(NamedTuple):
    """What a search found, as tensors; `n` hypotheses for each sentence, best first.

    Attributes:
        ids: (batch, n, target_len) int64, meaningless from `lengths` on.
        lengths: (batch, n) int64, without eos.
        log_probs: (batch, n).
        scores: (batch, n), -inf where there is no hypothesis.
        finished: (batch, n) bool.
        weights: (batch, n, target_len, source_len) or None.
        drawn: (batch, n, 2) the parts of `Hypothesis.drawn`, or None.
        optimal: (batch, n) bool, see `Hypothesis`, or None.
    """

    ids: Tensor
    lengths: Tensor
    log_probs: Tensor
    scores: Tensor
    finished: Tensor
    weights: Tensor | None
    drawn: Tensor | None = None
    optimal: Tensor | None = None


@dataclass(kw_only=True, eq=False)
class DecodingStrategy(ABC):
    """Makes n-best hypotheses of a step function; the result does not depend on how sentences are batched.

    A length counts symbols with eos. A sentence's limit is
    min(max_length, ceil(max_length_ratio x source_length) + max_length_constant), at least 1, source_length as
    handed in; a hypothesis that has no eos by then is cut and returned with finished=False. Banned ids get
    probability 0 without the others being renormalised: a log-probability is always the model's own.

    Attributes:
        name: how the strategy is called in signatures and folders.
        meets: names of the `Demands` that the strategy itself meets.
        takes_soft: whether log-probabilities stay the model's own under a soft constraint; else one is refused.
        traces: whether the strategy can tell its search to a `Trace`.
        bos: id fed at the first step.
        eos: id that ends a hypothesis.
        banned: ids that are never chosen; eos may not be one.
        constraints: what else may not follow, or is less wanted.
        max_length: absolute limit in symbols, at least 1.
        max_length_ratio: relative limit in symbols per source symbol, above 0; None for no relative limit.
        max_length_constant: added to the relative limit, at least 0.
        min_length: eos is forbidden before so many other symbols, at least 0.
        num_hypotheses: the n of n-best.

    Raises:
        RequestError: an option is out of its range, or a soft constraint is not taken.
    """

    name: ClassVar[str]
    meets: ClassVar[frozenset[str]] = frozenset()
    takes_soft: ClassVar[bool] = False
    traces: ClassVar[bool] = False

    bos: int
    eos: int
    banned: Sequence[int] = ()
    constraints: Sequence[Constraint] = ()
    max_length: int = 200
    max_length_ratio: float | None = 3.0
    max_length_constant: int = 30
    min_length: int = 0
    num_hypotheses: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        """Checks the options; a variant checks its own ones after these."""
        self.banned = tuple(sorted(set(self.banned)))
        whole_number("max_length", self.max_length, 1)
        if self.max_length_ratio is not None:
            positive("max_length_ratio", self.max_length_ratio)
        whole_number("max_length_constant", self.max_length_constant, 0)
        whole_number("min_length", self.min_length, 0)
        if self.eos in self.banned:
            raise RequestError(
                f"decoding.banned holds {self.eos}, the id of eos, expected other ids: no output could end"
            )
        if self.min_length >= self.max_length:
            raise RequestError(
                f"decoding.min_length is {self.min_length}, expected less than decoding.max_length ({self.max_length})"
            )
        soft = next((each for each in self.constraints if each.soft), None)
        if soft is not None and not self.takes_soft:
            name = soft.signature().partition(":")[0]
            raise RequestError(f"constraint.{name}: decoding={self.name} takes no constraint that only lowers or lifts")

    @abstractmethod
    def options(self) -> tuple[str, ...]:
        """Returns every own option that changes the output, each as `name:value`."""

    @abstractmethod
    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch of at least one sentence.

        Args:
            step: the network's step, wrapped by `constrained_step` where there are constraints.
            state: nested tuples of tensors (batch, ...).
            memory: nested tuples of tensors (batch, ...).
            task: what is asked for.

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
        banned = "ban:" + (",".join(map(str, self.banned)) or "none")
        constraints = [f"constraint:{each.signature()}" for each in self.constraints]
        return "|".join((self.name, *self.options(), *limits, banned, *constraints))

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
        demands: Demands | None = None,
        trace: Trace | None = None,
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
            demands: what single sentences' outputs must hold; in the order of the batch.
            trace: is told what became of every candidate; None, which costs nothing, for no such account.

        Returns:
            For each sentence its hypotheses, best first, at most `num_hypotheses`; fewer only where fewer exist.

        Raises:
            RequestError: the strategy cannot meet a demand, or cannot tell its search.
            RunError: a sentence got no hypothesis or one whose log-probability is no number.
        """
        self.check_demands(demands or Demands())
        if trace is not None and not self.traces:
            raise RequestError(f"decoding={self.name} cannot tell its search, expected a strategy that keeps a beam")
        if len(source_lengths) == 0:
            return []
        task = Task(
            limits=self.limits(source_lengths) if exact_lengths is None else exact_lengths + 1,
            sentence_index=sentence_index,
            weights=return_weights,
            exact=exact_lengths is not None,
            demands=demands or Demands(),
            source_lengths=source_lengths,
            trace=trace,
        )
        if self.constraints:
            step = constrained_step(step, self.constraints)
            state = (state, tuple(each.start(task) for each in self.constraints))
        found = self.search(step, state, memory, task)
        hypotheses = _hypotheses(found, source_lengths.tolist(), sentence_index.tolist())
        if trace is not None:
            trace.close(task, hypotheses, bos=self.bos, eos=self.eos)
        return hypotheses

    def check_demands(self, demands: Demands) -> None:
        """Looks whether the strategy or one of its constraints meets every demand.

        Raises:
            RequestError: one of them it does not meet.
        """
        met = self.meets.union(*(each.meets for each in self.constraints))
        for name in demands.named():
            if name not in met:
                raise RequestError(f"decoding={self.name} cannot meet {name}, expected {MET_BY[name]}")

    def among(self, ids: Sequence[int]) -> Self:
        """Gives the strategy for a step whose symbols are the places of a list; itself unless symbols mean something.

        Args:
            ids: the id that each place stands for; bos, eos and the banned ids stand for themselves.
        """
        return self

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
        relative = symbols_for(self.max_length_ratio, source_lengths) + self.max_length_constant
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
            constraints=self.constraints,
        )


def _hypotheses(found: Found, source_lengths: list[int], sentence_index: list[int]) -> list[list[Hypothesis]]:
    """Turns tensors into hypotheses, one transfer for each tensor."""
    ids, lengths = found.ids.tolist(), found.lengths.tolist()
    log_probs, scores, finished = found.log_probs.tolist(), found.scores.tolist(), found.finished.tolist()
    weights = None if found.weights is None else found.weights.cpu()
    drawn = None if found.drawn is None else found.drawn.tolist()
    optimal = None if found.optimal is None else found.optimal.tolist()
    sentences = []
    for row, source_length in enumerate(source_lengths):
        hypotheses = []
        for n, score in enumerate(scores[row]):
            if score == -math.inf:
                continue
            length = lengths[row][n]
            shown = None if weights is None else weights[row, n, : length + finished[row][n], :source_length].clone()
            hypothesis = Hypothesis(
                tuple(ids[row][n][:length]),
                log_probs[row][n],
                score,
                finished[row][n],
                weights=shown,
                drawn=None if drawn is None else Drawn(*drawn[row][n]),
                optimal=None if optimal is None else optimal[row][n],
            )
            if math.isnan(hypothesis.log_prob):
                raise RunError(f"decoding: sentence {sentence_index[row]} got a log-probability that is not a number")
            hypotheses.append(hypothesis)
        if not hypotheses:
            raise RunError(f"decoding: sentence {sentence_index[row]} got no hypothesis: every symbol was impossible")
        sentences.append(hypotheses)
    return sentences
