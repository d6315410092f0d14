"""Energies v . tanh(q + k) of sums of a query's and a key's vector, which are made again on the way back."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional


def tanh_keys(projected: Tensor) -> Tensor:
    """Prepare projected memory entries (batch, source_len, size) as `tanh_energies` wants them: doubled.

    In float32 at least on a CPU, which is slower at elementwise bfloat16.
    """
    keys = 2.0 * projected
    return keys.to(torch.promote_types(keys.dtype, torch.float32)) if keys.device.type == "cpu" else keys


def tanh_energies(query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
    """Give v . tanh(q + k).

    As tanh(x) = 2 sigmoid(2 x) - 1: on a CPU torch's sigmoid is 3 (bfloat16) to 9 (float32) times as fast as its tanh.

    Args:
        query: (batch, queries, size), q.
        keys: (batch, source_len, size), what `tanh_keys` gave.
        direction: (1, size), v.

    Returns:
        (batch, queries, source_len).
    """
    doubled = 2.0 * query
    return _Energies.apply(doubled.to(keys.dtype), keys, direction.to(keys.dtype)) - direction.sum()


def tanh_energies_with(query: Tensor, keys: Tensor, features: Tensor, projection: Tensor, direction: Tensor) -> Tensor:
    """Give v . tanh(q + k + P f), f being what each query knows of each position.

    Args:
        query: (batch, queries, size), q.
        keys: (batch, source_len, size), what `tanh_keys` gave.
        features: (batch, queries, source_len, feature_size), f.
        projection: (size, feature_size), P.
        direction: (1, size), v.

    Returns:
        (batch, queries, source_len).
    """
    parts = (part.to(keys.dtype) for part in (2.0 * query, features, 2.0 * projection, direction))
    return _EnergiesWith.apply(keys, *parts) - direction.sum()


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
        of_direction = torch.mm(doubled.reshape(1, -1), gates.view(-1, gates.shape[3]))
        slopes = doubled.unsqueeze(3) * direction
        torch.ops.aten.sigmoid_backward(slopes, gates, grad_input=slopes)
        of_keys = slopes.squeeze(1) if slopes.shape[1] == 1 else slopes.sum(1)
        return slopes.sum(2), of_keys, of_direction


class _EnergiesWith(Function):
    """From k, q, f (batch, queries, source_len, features), P and v to 2 v . sigmoid(q + k + P f)."""

    @staticmethod
    def gates(query: Tensor, keys: Tensor, features: Tensor, projection: Tensor) -> Tensor:
        """Give sigmoid(q + k + P f) (batch, queries, source_len, size)."""
        return functional.linear(features, projection).add_(query.unsqueeze(2)).add_(keys.unsqueeze(1)).sigmoid_()

    @staticmethod
    def forward(
        ctx: Any, keys: Tensor, query: Tensor, features: Tensor, projection: Tensor, direction: Tensor
    ) -> Tensor:
        ctx.save_for_backward(query, keys, features, projection, direction)
        with torch.autocast(keys.device.type, enabled=False):
            gates = _EnergiesWith.gates(query, keys, features, projection)
            return 2.0 * functional.linear(gates, direction).squeeze(3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        query, keys, features, projection, direction = ctx.saved_tensors
        gates = _EnergiesWith.gates(query, keys, features, projection)
        doubled = (2.0 * gradient).to(gates.dtype)
        of_direction = torch.mm(doubled.reshape(1, -1), gates.view(-1, gates.shape[3]))
        slopes = torch.ops.aten.sigmoid_backward(doubled.unsqueeze(3) * direction, gates)
        of_projection = torch.mm(slopes.flatten(0, 2).t(), features.flatten(0, 2))
        return slopes.sum(1), slopes.sum(2), torch.matmul(slopes, projection), of_projection, of_direction
