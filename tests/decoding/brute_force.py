"""Random tiny models, whose next symbol depends on everything before it, and the enumeration of all their outputs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.base import Hypothesis

BOS, EOS = 0, 1
SPECIAL: dict[str, Any] = {"bos": BOS, "eos": EOS, "banned": (BOS,), "max_length_ratio": None}


class Output(NamedTuple):
    """One of all outputs.

    Attributes:
        ids: without eos.
        finished: whether it ends in eos, or at the limit.
        log_probs: of the single symbols, eos included.
        weights: (symbols, source_len) attention, without padding.
    """

    ids: tuple[int, ...]
    finished: bool
    log_probs: tuple[float, ...]
    weights: Tensor

    @property
    def log_prob(self) -> float:
        """The sum, natural log."""
        return math.fsum(self.log_probs)

    @property
    def symbols(self) -> tuple[int, ...]:
        """The ids, and eos where it is finished."""
        return (*self.ids, EOS) if self.finished else self.ids


class TinyModel:
    """Scores and attention drawn for every beginning of an output; symbols are 2 to vocab - 1.

    With `order` both depend on the last `order` symbols alone (bos counts), as in a Markov model.

    Args:
        vocab: symbols, bos and eos included.
        limit: the most steps.
        batch: sentences.
        order: symbols that the next one depends on; None for all.
        ends: added to the score of eos.
        seed: of the draw.
    """

    def __init__(
        self, *, vocab: int = 5, limit: int = 4, batch: int = 3, order: int | None = None, ends: float = 0.0,
        seed: int = 0,
    ) -> None:  # fmt: skip
        generator = torch.Generator().manual_seed(seed)
        self.vocab, self.limit, self.order = vocab, limit, order
        self.source_lengths = torch.tensor([2 + place % 3 for place in range(batch)])
        codes = 2 * vocab ** (limit if order is None else order)
        self.scores = torch.randn(batch, codes, vocab, generator=generator, dtype=torch.float64) * 1.5
        self.scores[:, :, EOS] += ends
        energies = torch.randn(batch, codes, 4, generator=generator, dtype=torch.float64) * 2
        outside = torch.arange(4) >= self.source_lengths.unsqueeze(1)
        self.weights = energies.masked_fill(outside.unsqueeze(1), -torch.inf).softmax(-1)
        self.calls = 0

    def code_after(self, code: Any, symbol: Any) -> Any:
        """The number of a beginning that is one symbol longer; for tensors and for whole numbers."""
        code = code * self.vocab + symbol
        return code if self.order is None else code % self.vocab**self.order

    def step(self, previous: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor]:
        """The step function: the state is the beginning's number, the memory holds the tables."""
        self.calls += 1
        scores, weights = memory
        code = self.code_after(state, previous)
        sentences = torch.arange(len(scores)).repeat_interleave(len(previous) // len(scores))
        return scores[sentences, code], code, weights[sentences, code]

    def arguments(self, rows: Sequence[int] | None = None) -> dict[str, Any]:
        """Arguments of `decode` for some of the sentences."""
        kept = torch.arange(len(self.scores)) if rows is None else torch.tensor(rows)
        return {
            "step": self.step,
            "state": torch.ones_like(kept) if self.order is None else torch.zeros_like(kept),
            "memory": (self.scores[kept], self.weights[kept]),
            "source_lengths": self.source_lengths[kept],
            "sentence_index": kept,
        }

    def output(self, sentence: int, ids: tuple[int, ...], finished: bool) -> Output:
        """Scores one output."""
        code, log_probs, weights = 1 if self.order is None else 0, [], []
        for previous, symbol in itertools.pairwise((BOS, *ids, *((EOS,) if finished else ()))):
            code = self.code_after(code, previous)
            log_probs.append(float(self.scores[sentence, code].log_softmax(-1)[symbol]))
            weights.append(self.weights[sentence, code, : self.source_lengths[sentence]])
        return Output(ids, finished, tuple(log_probs), torch.stack(weights))

    def outputs(self, sentence: int, limit: int | None = None) -> Iterator[Output]:
        """Every output of one sentence: finished ones, and those that the limit cuts."""
        limit = self.limit if limit is None else limit
        for length in range(limit + 1):
            for ids in itertools.product(range(2, self.vocab), repeat=length):
                yield self.output(sentence, ids, length < limit)

    def best(
        self, sentence: int, score: Callable[[Output], float], num: int, allowed: Callable[[Output], bool] | None = None
    ) -> list[Output]:
        """The outputs of highest score among those allowed, best first."""
        space = [output for output in self.outputs(sentence) if allowed is None or allowed(output)]
        return sorted(space, key=score, reverse=True)[:num]


def assert_found(found: Sequence[Hypothesis], expected: Sequence[Output], score: Callable[[Output], float]) -> None:
    """Looks that hypotheses are the expected ones, with the model's own log-probabilities and these scores."""
    assert [(each.ids, each.finished) for each in found] == [(each.ids, each.finished) for each in expected]
    for each, output in zip(found, expected, strict=True):
        assert math.isclose(each.log_prob, output.log_prob, abs_tol=1e-9)
        assert math.isclose(each.score, score(output), abs_tol=1e-9)
