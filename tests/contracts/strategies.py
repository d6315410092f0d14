"""Every option of conf/decoding as a strategy, and a model whose outputs can be counted."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor

from s2s_lab.decoding.base import DecodingStrategy, Hypothesis
from s2s_lab.decoding.task import Demands
from tests.contracts.options import options, settings

OPTIONS = {name: settings("decoding", name) for name in options("decoding")}
SPECIAL = {"bos": 2, "eos": 3, "banned": (0, 2)}
every_option = pytest.mark.parametrize("option", OPTIONS)

WIDTHS = ("size", "num_hypotheses", "num_samples")
"""Keys that say how many rows or results a sentence has."""

DRAWN_EACH_ALONE = {option for option, keys in OPTIONS.items() if keys["_target_"].endswith(".Sampling")}
"""Those whose hypotheses may be equal."""


TREE_SEARCHES = {"exact", "best_first"}
"""Options whose steps are as many as their proofs take and open prefixes of any sentence, so that no law says how many
steps there are, which sentences take part in one, or that a narrow one is greedy."""

FORCED = {"forced"}
"""Options that choose nothing: no limit, length or width is theirs; they are given `target` as each output."""

every_choosing_option = pytest.mark.parametrize("option", [option for option in OPTIONS if option not in FORCED])
every_stepwise_option = pytest.mark.parametrize("option", [option for option in OPTIONS if option not in TREE_SEARCHES])


def target(sentence: int) -> tuple[int, ...]:
    return tuple((1, 4, 5, 6, 7)[(sentence + place) % 5] for place in range(sentence % 7))


RANKS_IN_PYTHON = {"minimum_risk", "minimum_risk_beam", "minimum_risk_pruned"}
"""Options that compare the outputs of other strategies sentence by sentence: what they do in Python grows with the
sentences and outputs, and one candidate is what the strategy within gives. Their own tests hold them to that."""


class Alike:
    """A utility of ids alone: minus the difference in length, and a bit for each symbol in common."""

    def __init__(self, bit: float = 0.3) -> None:
        self.bit = bit

    def signature(self) -> str:
        return f"alike:{self.bit}"

    def __call__(self, hypotheses: Any, references: Any) -> Tensor:
        values = [
            [self.bit * len(set(one) & set(other)) - abs(len(one) - len(other)) for other in references]
            for one in hypotheses
        ]
        return torch.tensor(values, dtype=torch.float64)


def build(option: str, **changes: Any) -> DecodingStrategy:
    node = OPTIONS[option] | changes
    given = {"utility": node.pop("utility") if callable(node["utility"]) else Alike()} if "utility" in node else {}
    node = {key: value for key, value in node.items() if key not in given}
    strategy = instantiate(node, **SPECIAL)(**given)
    if option in FORCED:
        decode = strategy.decode
        strategy.decode = lambda **given: decode(
            **given, demands=Demands(targets=[target(sentence) for sentence in given["sentence_index"].tolist()])
        )
    return strategy


def widened(node: dict[str, Any], width: int) -> dict[str, Any]:
    """What makes a strategy, and those within it, so wide."""
    inner = {key: value | widened(value, width) for key, value in node.items() if key == "candidates"}
    groups = {"groups": min(width, node["groups"])} if "groups" in node else {}  # at most as many as rows
    return dict.fromkeys([key for key in WIDTHS if key in node], width) | groups | inner


def build_wide(option: str, width: int, **changes: Any) -> DecodingStrategy:
    return build(option, **widened(OPTIONS[option], width), **changes)


def as_wide_as(option: str, space: int) -> int:
    """The size of a beam each group of which holds so many hypotheses."""
    return space * OPTIONS[option].get("groups", 1)


GREEDY = "s2s_lab.decoding.greedy.GreedySearch"


class Trigrams:
    """A random trigram model with attention; each sentence has its own source and wish to end.

    `calls` holds (rows, sentences) of every step.
    """

    def __init__(
        self, *, vocab: int = 8, batch: int = 20, dtype: torch.dtype = torch.float64, ends: bool = True
    ) -> None:
        self.last, self.before = torch.randn(2, vocab, vocab).to(dtype)
        self.lengths = torch.randint(1, 6, (batch,))
        self.lengths[-1] = 5
        self.values = torch.randn(batch, 5, vocab).to(dtype)
        self.wish = torch.rand(batch).to(dtype) if ends else torch.full((batch,), -1e4, dtype=dtype)
        self.calls: list[tuple[int, int]] = []

    def step(self, previous: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor]:
        values, (mask, wish) = memory
        (before,), count = state
        self.calls.append((len(previous), len(values)))
        queries = (self.before[before] + count.to(values.dtype).unsqueeze(1)).view(len(values), -1, values.size(2))
        weights = (queries @ values.transpose(1, 2)).masked_fill(~mask.unsqueeze(1), -torch.inf).softmax(-1)
        scores = (weights @ values).flatten(0, 1) + self.last[previous] + self.before[before]
        scores[:, 3] += (wish.unsqueeze(1) * count.view(len(values), -1)).flatten() * 2
        return scores, ((previous,), count + 1), weights.flatten(0, 1)

    def arguments(self, rows: list[int] | None = None, padding: int = 0) -> dict[str, Any]:
        kept = torch.arange(len(self.lengths)) if rows is None else torch.tensor(rows)
        lengths = self.lengths[kept]
        longest = int(lengths.max())
        values = torch.nn.functional.pad(self.values[kept][:, :longest], (0, 0, 0, padding), value=5.0)
        mask = torch.arange(longest + padding) < lengths.unsqueeze(1)
        return {
            "step": self.step,
            "state": ((torch.full_like(kept, 2),), torch.zeros_like(kept)),
            "memory": (values, (mask, self.wish[kept])),
            "source_lengths": lengths,
            "sentence_index": kept,
        }

    def rescore(self, sentence: int, symbols: tuple[int, ...]) -> tuple[float, Tensor]:
        given = self.arguments([sentence])
        state, total, shown = given["state"], 0.0, []
        for previous, symbol in itertools.pairwise((2, *symbols)):
            scores, state, weights = self.step(torch.tensor([previous]), state, given["memory"])
            total += float(scores.double().log_softmax(-1)[0, symbol])
            shown.append(weights[0])
        return total, torch.stack(shown)


def outputs(decoded: list[list[Hypothesis]]) -> list[list[tuple[tuple[int, ...], bool]]]:
    return [[(hypothesis.ids, hypothesis.finished) for hypothesis in sentence] for sentence in decoded]


def symbols(hypothesis: Hypothesis) -> tuple[int, ...]:
    return (*hypothesis.ids, 3) if hypothesis.finished else hypothesis.ids
