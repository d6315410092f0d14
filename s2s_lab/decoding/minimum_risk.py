"""Minimum Bayes risk: of several outputs the one that the others, as the model's own references, like best."""

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from s2s_lab.decoding import noise
from s2s_lab.decoding.base import DecodingStrategy, Found, whole_number
from s2s_lab.decoding.task import Demands, Phrase, StepFunction, Task
from s2s_lab.faults import RequestError, RunError

WEIGHTS = ("count", "probability")
HANDED_DOWN = (
    "bos", "eos", "banned", "constraints", "max_length", "max_length_ratio", "max_length_constant", "min_length",
)  # fmt: skip
"""What the strategies within take over from the one around them."""
NO_STEP = -1
"""The place of a noise that no sample's symbols are drawn by, though their seed be the same."""

StrategyFactory = Callable[..., DecodingStrategy]


class Utility(Protocol):
    """Says how good outputs are beside references, all in ids without bos and eos."""

    def signature(self) -> str:
        """Returns all that changes the values, without spaces."""
        ...

    def __call__(self, hypotheses: Sequence[Phrase], references: Sequence[Phrase], /) -> Tensor:
        """Compares each hypothesis with each reference: (hypotheses, references) float64, higher being better."""
        ...


class _Renumbered:
    """A utility of places in a list of ids."""

    def __init__(self, utility: Utility, ids: Sequence[int]) -> None:
        self.utility, self.ids = utility, ids

    def signature(self) -> str:
        """Returns the utility's own."""
        return self.utility.signature()

    def __call__(self, hypotheses: Sequence[Phrase], references: Sequence[Phrase]) -> Tensor:
        """Compares what the places stand for; see Utility."""
        left, right = ([tuple(self.ids[place] for place in each) for each in side] for side in (hypotheses, references))
        return self.utility(left, right)


class Drawn(NamedTuple):
    """One distinct output of the searches of a sentence.

    Attributes:
        ids: its symbols.
        log_prob: the model's own.
        finished: whether it ends in eos.
        count: how often it was found.
        place: (search, hypothesis) of the first time.
    """

    ids: Phrase
    log_prob: float
    finished: bool
    count: int
    place: tuple[int, int]


@dataclass(kw_only=True, eq=False)
class MinimumRisk(DecodingStrategy):
    """Ranks candidates by their expected utility under pseudo-references.

    Candidates are the distinct outputs of one or two strategies; pseudo-references those of `references`, else those
    of `candidates` (what `further` finds is never one of them, as it would bend the estimate). A pseudo-reference
    weighs as often as it was drawn, or by the model's probability, normalised over the distinct ones. The score is
    the weighted mean utility (ties: the more probable, then the earlier); the log-probability is the model's own.
    Sentences are ranked one after the other, on the CPU.

    Paper: Eikema and Aziz 2020, arXiv 2005.10283 (N-by-N: samples serve as both), and 2022, arXiv 2108.04718
    (N-by-S: fewer pseudo-references, by `num_references` or drawn apart by `references`; more candidates from beam
    search). Deviation: equal candidates are ranked once; with `num_references` the S are among the N.

    Attributes:
        candidates: builds the strategy whose outputs are ranked.
        further: builds another one whose outputs are ranked too; None for none.
        references: builds the strategy that gives the pseudo-references; None for the candidates'.
        num_references: how many of the pseudo-references count, chosen at random; None for all.
        weights: "count" or "probability".
        utility: compares hypotheses with references.
        num_hypotheses: how many are returned.
        seed: of the choice among pseudo-references.

    Raises:
        RequestError: an option is out of its range, a strategy within sets what it takes over from this one, or
            references and candidates are drawn with one seed.
    """

    name = "minimum_risk"

    candidates: StrategyFactory | DecodingStrategy
    further: StrategyFactory | DecodingStrategy | None = None
    references: StrategyFactory | DecodingStrategy | None = None
    num_references: int | None = None
    weights: Literal["count", "probability"] = "count"
    utility: Utility
    num_hypotheses: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks the options and builds the strategies within."""
        super().__post_init__()
        if self.num_references is not None:
            whole_number("num_references", self.num_references, 1)
        whole_number("num_hypotheses", self.num_hypotheses, 1)
        whole_number("seed", self.seed, 0)
        if self.weights not in WEIGHTS:
            raise RequestError(f"decoding.weights is {self.weights!r}, expected one of {', '.join(WEIGHTS)}")
        if not callable(self.utility):
            raise RequestError(f"decoding.utility is {self.utility!r}, expected a metric")
        self._sources = [self._within("candidates", self.candidates)]
        if self.further is not None:
            self._sources.append(self._within("further", self.further))
        self._apart = None if self.references is None else self._within("references", self.references)
        seed = getattr(self._apart, "seed", None)
        if seed is not None and seed in [getattr(each, "seed", None) for each in self._sources]:
            raise RequestError(
                f"decoding.references.seed is {seed}, as that of candidates; expected another, to draw others"
            )

    def _within(self, key: str, node: StrategyFactory | DecodingStrategy) -> DecodingStrategy:
        """Builds a strategy that works under the limits and constraints of this one."""
        if isinstance(node, DecodingStrategy):
            return node
        own = set(node.keywords) & set(HANDED_DOWN) if isinstance(node, functools.partial) else set()
        if own:
            name = min(own)
            raise RequestError(f"decoding.{key}.{name} is set, expected decoding.{name}, which holds for it too")
        if not callable(node):
            raise RequestError(f"decoding.{key} is {node!r}, expected a strategy")
        built = node(**{name: getattr(self, name) for name in HANDED_DOWN})
        if not isinstance(built, DecodingStrategy):
            raise RequestError(f"decoding.{key} is a {type(built).__name__}, expected a strategy")
        return built

    def options(self) -> tuple[str, ...]:
        """Returns the utility, where candidates and references come from, their weights and the n of n-best."""
        further = (f"further:{_inner(self._sources[1])}",) if len(self._sources) > 1 else ()
        apart = "candidates" if self._apart is None else _inner(self._apart)
        chosen = "all" if self.num_references is None else self.num_references
        return (
            f"utility:[{self.utility.signature()}]",
            f"candidates:{_inner(self._sources[0])}",
            *further,
            f"references:{apart},{chosen},seed:{self.seed}",
            f"weights:{self.weights}",
            f"nbest:{self.num_hypotheses}",
        )

    def check_demands(self, demands: Demands) -> None:
        """Looks whether every strategy within meets every demand; see the base class."""
        for each in (*self._sources, *([] if self._apart is None else [self._apart])):
            each.check_demands(demands)

    def among(self, ids: Sequence[int]) -> Self:
        """Gives the strategy with a utility that compares what the places stand for; see the base class."""
        own = copy.copy(self)
        own.utility = _Renumbered(self.utility, ids)
        own._sources = [each.among(ids) for each in self._sources]
        own._apart = None if self._apart is None else self._apart.among(ids)
        return own

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches with the strategies within and ranks what they found; see the base class."""
        found = [each.search(step, state, memory, task) for each in self._sources]
        apart = (
            found[:1]
            if self._apart is None
            else [self._apart.search(step, state, memory, task._replace(weights=False))]
        )
        sentences = task.sentence_index.tolist()
        pool, references = _drawn(found), _drawn(apart)
        best = []
        for sentence, mine, theirs in zip(sentences, pool, references, strict=True):
            if not mine:  # which the base class tells
                best.append([])
                continue
            if not theirs:
                raise RunError(f"decoding: sentence {sentence} got no reference: every symbol was impossible")
            scores = self.expected([each.ids for each in mine], self._chosen(theirs, sentence), sentence)
            order = sorted(range(len(mine)), key=lambda row: (-scores[row], -mine[row].log_prob, row))
            best.append([(mine[row], scores[row]) for row in order[: self.num_hypotheses]])
        return _as_found(best, found, task)

    def _chosen(self, drawn: list[Drawn], sentence: int) -> list[Drawn]:
        """Chooses `num_references` of what was drawn, each time it was drawn counting as one."""
        total = sum(each.count for each in drawn)
        if self.num_references is None or self.num_references >= total:
            return drawn
        order = self.shuffled(total, sentence)[: self.num_references]
        owners = [row for row, each in enumerate(drawn) for _ in range(each.count)]
        counts = [0] * len(drawn)
        for place in order:
            counts[owners[place]] += 1
        return [each._replace(count=count) for each, count in zip(drawn, counts, strict=True) if count]

    def shuffled(self, total: int, sentence: int) -> list[int]:
        """Puts the numbers below `total` in an order that seed and sentence alone decide."""
        keys = noise.sample_keys(self.seed, torch.tensor([sentence]), total)
        return noise.uniform(keys, NO_STEP)[0].argsort(stable=True).tolist()

    def expected(self, hypotheses: Sequence[Phrase], references: Sequence[Drawn], sentence: int) -> list[float]:
        """Gives the expected utility of each hypothesis of a sentence.

        Args:
            hypotheses: the candidates.
            references: distinct pseudo-references.
            sentence: its place in its split.
        """
        if self.weights == "probability":
            shares = torch.tensor([each.log_prob for each in references], dtype=torch.float64).softmax(0)
        else:
            counts = torch.tensor([each.count for each in references], dtype=torch.float64)
            shares = counts / counts.sum()
        utilities = self.utility(hypotheses, [each.ids for each in references])
        return (utilities.double().cpu() * shares).sum(1).tolist()


def _inner(strategy: DecodingStrategy) -> str:
    """Names a strategy within and its own options."""
    return f"[{'|'.join((strategy.name, *strategy.options()))}]"


def _drawn(found: Sequence[Found]) -> list[list[Drawn]]:
    """Merges equal outputs of all searches, for each sentence, in the order of their first appearance."""
    sentences: list[dict[tuple[Phrase, bool], Drawn]] = [{} for _ in range(len(found[0].ids))]
    for search, each in enumerate(found):
        ids, lengths, scores = each.ids.tolist(), each.lengths.tolist(), each.scores.tolist()
        log_probs, finished = each.log_probs.tolist(), each.finished.tolist()
        for row, merged in enumerate(sentences):
            for n, score in enumerate(scores[row]):
                if score == -torch.inf:
                    continue
                key = (tuple(ids[row][n][: lengths[row][n]]), finished[row][n])
                known = merged.get(key)
                if known is None:
                    merged[key] = Drawn(key[0], log_probs[row][n], key[1], 1, (search, n))
                else:
                    merged[key] = known._replace(count=known.count + 1)
    return [list(merged.values()) for merged in sentences]


def _as_found(best: list[list[tuple[Drawn, float]]], found: Sequence[Found], task: Task) -> Found:
    """Puts the ranked outputs of all sentences into tensors, with the attention of the searches they come from."""
    device = task.limits.device
    most = max((len(each) for each in best), default=0)
    longest = max((len(drawn.ids) + drawn.finished for each in best for drawn, _ in each), default=0)
    ids = torch.zeros((len(best), most, longest), dtype=torch.int64)
    lengths = torch.zeros((len(best), most), dtype=torch.int64)
    finished = torch.zeros((len(best), most), dtype=torch.bool)
    log_probs = torch.full((len(best), most), -torch.inf, dtype=torch.float64)
    scores = log_probs.clone()
    shown = [each.weights for each in found]
    weights = None
    if task.weights and shown[0] is not None:
        weights = shown[0].new_zeros((len(best), most, longest, shown[0].size(-1)))
    for row, ranked in enumerate(best):
        for n, (drawn, score) in enumerate(ranked):
            ids[row, n, : len(drawn.ids)] = torch.tensor(drawn.ids, dtype=torch.int64)
            lengths[row, n], finished[row, n] = len(drawn.ids), drawn.finished
            log_probs[row, n], scores[row, n] = drawn.log_prob, score
            source = shown[drawn.place[0]]
            if weights is not None and source is not None:
                taken = len(drawn.ids) + drawn.finished
                weights[row, n, :taken] = source[row, drawn.place[1], :taken]
    ids, lengths, log_probs, scores, finished = (
        part.to(device) for part in (ids, lengths, log_probs, scores, finished)
    )
    return Found(ids, lengths, log_probs, scores, finished, weights)
