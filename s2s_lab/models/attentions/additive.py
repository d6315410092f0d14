"""Additive attention, of Bahdanau et al."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.checks import require_positive


class AdditiveAttention(Attention):
    """energy(q, m) = v . tanh(W q + U m).

    Paper: Bahdanau et al. 2015, arXiv 1409.0473, A.1.2; "concat" of Luong et al. 2015.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        attention_size: width of the sum under the tanh; None means `query_size`.
    """

    def __init__(
        self, *, query_size: int, memory_size: int, summary_size: int, attention_size: int | None = None
    ) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, summary_size=summary_size)
        size = query_size if attention_size is None else attention_size
        require_positive("attention.attention_size", size)
        self.query_projection = nn.Linear(query_size, size, bias=False)
        self.memory_projection = nn.Linear(memory_size, size, bias=False)
        self.energy_projection = nn.Linear(size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Give 2 U m, as `energies` wants it; see Attention.

        In float32 at least on a CPU, which is slower at elementwise bfloat16.
        """
        keys = 2.0 * self.memory_projection(memory)
        return keys.to(torch.promote_types(keys.dtype, torch.float32)) if keys.device.type == "cpu" else keys

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give v . tanh(W q + U m); see Attention.

        As tanh(x) = 2 sigmoid(2 x) - 1: on a CPU torch's sigmoid is 3 (bfloat16) to 9 (float32) times as fast as its
        tanh.
        """
        doubled = 2.0 * self.query_projection(query)
        direction = self.energy_projection.weight
        return _Energies.apply(doubled.to(keys.dtype), keys, direction.to(keys.dtype)) - direction.sum()


class _Energies(Function):
    """From q (batch, queries, size), k (batch, source_len, size) and v (1, size) to 2 v . sigmoid(q + k)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, direction)
        gates = (query.unsqueeze(2) + keys.unsqueeze(1)).sigmoid_()  # (batch, queries, source_len, size)
        return 2.0 * functional.linear(gates, direction).squeeze(3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, keys, direction = ctx.saved_tensors
        # Made again: what every step of a loop kept of them would not fit a processor's cache.
        gates = (query.unsqueeze(2) + keys.unsqueeze(1)).sigmoid_()
        doubled = (2.0 * gradient).to(gates.dtype)
        of_direction = torch.mm(doubled.view(1, -1), gates.view(-1, gates.shape[3]))
        slopes = doubled.unsqueeze(3) * direction
        torch.ops.aten.sigmoid_backward(slopes, gates, grad_input=slopes)
        of_keys = slopes.squeeze(1) if slopes.shape[1] == 1 else slopes.sum(1)
        return slopes.sum(2), of_keys, of_direction
