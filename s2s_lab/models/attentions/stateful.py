"""The contract of attentions whose weights depend on the steps before."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from s2s_lab.models.attentions.base import Attention, AttentionState, Prepared, by_sentence, num_sentences
from s2s_lab.models.attentions.tanh_base import TanhAttention
from s2s_lab.models.attentions.tanh_energies import tanh_energies_with


class StatefulAttention(Attention):
    """An attention that keeps tensors from step to step.

    A variant gives `initial_state` and `attend`. Its `energies` are those before anything was attended to. What it
    prepares has the fields `memory` and `mask`.
    """

    stateful = True

    @abstractmethod
    def initial_state(self, prepared: Prepared) -> tuple[Tensor, ...]:
        """Give what the first step needs: tensors (batch, ...); see Attention."""

    @abstractmethod
    def attend(self, query: Tensor, prepared: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Weigh the memory for one step of each hypothesis.

        Args:
            query: (batch, width, query_size).
            prepared: what `prepare` gave.
            state: tensors (batch, width, ...).

        Returns:
            The weights (batch, width, source_len) and the next state.
        """

    def step(self, query: Tensor, prepared: Prepared, state: AttentionState) -> tuple[Tensor, Tensor, AttentionState]:
        """Attend with one query for each row; see Attention."""
        sentences = num_sentences(prepared)
        parts = tuple(by_sentence(part, sentences) for part in state)
        weights, following = self.attend(by_sentence(query, sentences), prepared, parts)
        memory = prepared.memory  # type: ignore[attr-defined]
        context = torch.bmm(weights.to(memory.dtype), memory)
        return context.flatten(0, 1), weights.flatten(0, 1), tuple(part.flatten(0, 1) for part in following)

    def forward(self, query: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor]:
        """Attend with the queries of all steps (batch, target_len, query_size), one after the other; see Attention."""
        state, contexts, weights = self.initial_state(prepared), [], []
        for one in query.unbind(dim=1):
            context, weight, state = self.step(one, prepared, state)
            contexts.append(context)
            weights.append(weight)
        return torch.stack(contexts, dim=1), torch.stack(weights, dim=1)


class FeatureAttention(TanhAttention, StatefulAttention):
    """energy(q, m, f) = v . tanh(W q + U m + P f + b), f being what is known of each position from earlier steps.

    See TanhAttention for the arguments; there is a `feature_size`, the width of f. What `energies` gives is for f = 0.
    """

    def energies_with(self, query: Tensor, keys: Tensor, features: Tensor) -> Tensor:
        """Give v . tanh(W q + U m + P f + b); see Attention.

        Args:
            query: (batch, width, query_size).
            keys: what `keys` gave.
            features: (batch, width, source_len, feature_size).
        """
        return tanh_energies_with(
            self.query_projection(query),
            keys,
            features,
            self.feature_projection.weight,
            self.direction(),
        )


def zeros_over(memory: Tensor, *sizes: int) -> Tensor:
    """Give zeros (batch, *sizes) on the device of a memory, in float32 at least."""
    dtype = torch.promote_types(memory.dtype, torch.float32)
    return memory.new_zeros(memory.shape[0], *sizes, dtype=dtype)
