"""Toys for the decoding tests: a tiny attentional GRU behind the step contract and a plain enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

BOS, EOS, PAD = 2, 3, 0


@dataclass
class Toy:
    """A random network on random sources; `calls` holds (rows, sentences) of every step."""

    cell: torch.nn.GRUCell
    embedding: Tensor
    output: Tensor
    memory: tuple[Tensor, Tensor]
    state: tuple[tuple[Tensor], Tensor]
    source_lengths: Tensor
    calls: list[tuple[int, int]] = field(default_factory=list)

    def step(self, previous: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor]:
        values, mask = memory
        (hidden,), counter = state
        self.calls.append((len(previous), len(values)))
        assert len(previous) == len(hidden) == len(counter) and len(previous) % len(values) == 0
        queries = hidden.view(len(values), -1, hidden.size(-1))
        energies = torch.einsum("bqh,bsh->bqs", queries, values).masked_fill(~mask.unsqueeze(1), -torch.inf)
        weights = energies.softmax(-1)
        context = torch.einsum("bqs,bsh->bqh", weights, values).flatten(0, 1)
        hidden = self.cell(self.embedding[previous] + context, hidden)
        return hidden @ self.output.t(), ((hidden,), counter + 1), weights.flatten(0, 1)

    def arguments(self, rows: list[int] | None = None, padding: int = 0) -> dict[str, Any]:
        """Gives decode's arguments for some of the sentences, with more padding than needed."""
        kept = torch.arange(len(self.source_lengths)) if rows is None else torch.tensor(rows)
        values, mask = (part[kept] for part in self.memory)
        longest = int(self.source_lengths[kept].max())
        values, mask = values[:, :longest], mask[:, :longest]
        values = torch.cat((values, torch.full_like(values[:, :1], 7.0).expand(-1, padding, -1)), 1)
        mask = torch.cat((mask, torch.zeros_like(mask[:, :1]).expand(-1, padding)), 1)
        (hidden,), counter = self.state
        return {
            "step": self.step,
            "state": ((hidden[kept],), counter[kept]),
            "memory": (values, mask),
            "source_lengths": self.source_lengths[kept],
            "sentence_index": kept,
        }

    def rescore(self, sentence: int, symbols: tuple[int, ...]) -> tuple[float, Tensor]:
        """Sums the log-probabilities of the symbols (eos, if any, included); gives the weights beside it."""
        arguments = self.arguments([sentence])
        state, total, shown = arguments["state"], 0.0, []
        for previous, symbol in itertools.pairwise((BOS, *symbols)):
            scores, state, weights = self.step(torch.tensor([previous]), state, arguments["memory"])
            total += float(scores.double().log_softmax(-1)[0, symbol])
            shown.append(weights[0])
        return total, torch.stack(shown)

    def space(self, sentence: int, limit: int, allowed: list[int]) -> list[tuple[tuple[int, ...], bool, float]]:
        """Enumerates every output: ids, whether finished, log-probability."""
        outputs: list[tuple[tuple[int, ...], bool, float]] = []
        for length in range(limit + 1):
            for ids in itertools.product(allowed, repeat=length):
                if length < limit:
                    outputs.append((ids, True, self.rescore(sentence, (*ids, EOS))[0]))
                else:
                    outputs.append((ids, False, self.rescore(sentence, ids)[0]))
        return outputs


@pytest.fixture
def make_toy() -> Callable[..., Toy]:
    """Gives a function (vocab, batch, seed, ...) -> Toy; a higher `ends` makes eos likelier with each step."""

    def make(
        *,
        vocab: int = 9,
        batch: int = 6,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        ends: float = 0.0,
        sharpness: float = 1.5,
    ) -> Toy:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

        hidden = 5
        cell = torch.nn.GRUCell(hidden, hidden, dtype=dtype)
        for parameter in cell.parameters():
            parameter.requires_grad_(False).copy_(normal(*parameter.shape))
        output = normal(vocab, hidden) * sharpness
        start = normal(batch, hidden)
        lengths = torch.randint(2, 6, (batch,), generator=generator)
        lengths[0] = 5
        values, mask = normal(batch, 5, hidden), torch.arange(5) < lengths.unsqueeze(1)
        toy = Toy(
            cell=cell,
            embedding=normal(vocab, hidden),
            output=output,
            memory=(values, mask),
            state=((start,), torch.zeros(batch, dtype=torch.int64)),
            source_lengths=lengths,
        )
        if ends:
            plain = toy.step

            def ending(previous: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor]:
                scores, state, weights = plain(previous, state, memory)
                scores[:, EOS] += ends * state[1].to(dtype)
                return scores, state, weights

            toy.step = ending  # type: ignore[method-assign]
        return toy

    return make


@pytest.fixture
def special_ids() -> dict[str, Any]:
    """Gives what assemble hands to every strategy."""
    return {"bos": BOS, "eos": EOS, "banned": (PAD, BOS)}
