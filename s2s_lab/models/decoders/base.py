"""The contract of a decoder: from embedded target prefixes and a prepared memory to features."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from s2s_lab.models.attentions.base import Attention, AttentionState, Prepared
from s2s_lab.models.cells.stack import StackState
from s2s_lab.models.encoders.base import EncoderOutput

DecoderState = tuple[Any, ...]


class CellsState(NamedTuple):
    """What the next step of recurrent layers and one attention needs.

    Attributes:
        cells: for each layer, parts (rows, size).
        attention: what the attention keeps of the steps before.
    """

    cells: StackState
    attention: AttentionState = ()


class AttentionFactory(Protocol):
    """What builds an attention for given sizes."""

    def __call__(self, *, query_size: int, memory_size: int, summary_size: int) -> Attention:
        """Build one attention."""
        ...


class Decoder(nn.Module, ABC):
    """Anything that writes a target, one token after the other.

    Rows are sentences x width, sentence-major: width hypotheses of a sentence share its prepared memory.

    Attributes:
        attention: what looks at the memory.
        state_sizes: for each layer, the width of each part of the state that a bridge has to give.
        feature_size: width of the features, which the output turns into scores.
    """

    attention: Attention
    state_sizes: tuple[tuple[int, ...], ...]
    feature_size: int

    def prepare(self, encoded: EncoderOutput) -> Prepared:
        """Do once for each source what no step changes: a nested tuple of tensors, sentences first."""
        return self.attention.prepare(encoded)

    @abstractmethod
    def initial_state(self, bridged: tuple[tuple[Tensor, ...], ...], prepared: Prepared) -> DecoderState:
        """Give the state before the first step.

        Args:
            bridged: for each layer, parts (batch, size) of `state_sizes`.
            prepared: what `prepare` gave.

        Returns:
            A nested tuple of tensors, rows first, width 1.
        """

    @abstractmethod
    def step(
        self, embedded: Tensor, state: DecoderState, prepared: Prepared
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Make one step.

        Args:
            embedded: (rows, input_size), the previous tokens.
            state: nested tuple of tensors, rows first.
            prepared: what `prepare` gave, sentences first.

        Returns:
            The features (rows, feature_size), the next state, and the attention's weights (rows, source_len) or None.
        """

    @abstractmethod
    def forward(self, embedded: Tensor, state: DecoderState, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Make all steps of given targets; equal to repeated `step`.

        Args:
            embedded: (batch, target_len, input_size), the tokens before each position.
            state: the state before the first step, width 1.
            prepared: what `prepare` gave.

        Returns:
            The features (batch, target_len, feature_size) and the weights (batch, target_len, source_len) or None.
        """


def attend_all(
    attention: Attention, queries: Tensor, state: AttentionState, prepared: Prepared
) -> tuple[Tensor, Tensor | None]:
    """Attend with the queries (batch, target_len, query_size) of all steps; see Attention's forward."""
    if not attention.stateful:
        return attention(queries, prepared)
    contexts, weights = [], []
    for query in queries.unbind(dim=1):
        context, weight, state = attention.step(query, prepared, state)
        contexts.append(context)
        weights.append(weight)
    return torch.stack(contexts, dim=1), torch.stack(weights, dim=1)


def attentional_vector(combination: nn.Linear | None, context: Tensor, output: Tensor) -> Tensor:
    """Give tanh(W [c; s]) (..., size) of contexts c and outputs s (..., size), or s itself where there is no W.

    Paper: Luong et al. 2015, arXiv 1508.04025, equation 5.
    """
    if combination is None:
        return output
    return torch.tanh(combination(torch.cat((context, output), dim=-1)))
