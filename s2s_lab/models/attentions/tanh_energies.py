"""Energies v . tanh(q + k) of sums of a query's and a key's vector, which are made again on the way back."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional


class Squashing(NamedTuple):
    """How v . tanh(x) is computed: as scale v . squash(scale x) - (scale - 1) v . 1.

    Attributes:
        scale: 1 or 2.
        squash: in place.
        slope: from a gradient and what `squash` gave to the gradient of its argument.
    """

    scale: float
    squash: Callable[[Tensor], Tensor]
    slope: Callable[..., Tensor]


TANH = Squashing(1.0, torch.tanh_, torch.ops.aten.tanh_backward)
SIGMOID = Squashing(2.0, torch.sigmoid_, torch.ops.aten.sigmoid_backward)
"""As tanh(x) = 2 sigmoid(2 x) - 1."""


def squashing_on(device: torch.device) -> Squashing:
    """Choose for a device.

    On a CPU torch's sigmoid is 3 (bfloat16) to 9 (float32) times as fast as its tanh. Elsewhere it is not, and in
    bfloat16, which a CPU's keys are never in, a sigmoid near one half keeps fewer digits of what tanh is near 0.
    """
    return SIGMOID if device.type == "cpu" else TANH


def tanh_keys(projected: Tensor) -> Tensor:
    """Prepare projected memory entries (batch, source_len, size) as `tanh_energies` wants them.

    In float32 at least on a CPU, which is slower at elementwise bfloat16.
    """
    keys = squashing_on(projected.device).scale * projected
    return keys.to(torch.promote_types(keys.dtype, torch.float32)) if keys.device.type == "cpu" else keys


def tanh_energies(query: Tensor, keys: Tensor, direction: Tensor) -> Tensor:
    """Give v . tanh(q + k).

    Args:
        query: (batch, queries, size), q.
        keys: (batch, source_len, size), what `tanh_keys` gave.
        direction: (1, size), v.

    Returns:
        (batch, queries, source_len).
    """
    how = squashing_on(keys.device)
    energies = _Energies.apply((how.scale * query).to(keys.dtype), keys, direction.to(keys.dtype), how)
    return energies - direction.sum() if how is SIGMOID else energies


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
    how = squashing_on(keys.device)
    scaled = (how.scale * query, features, how.scale * projection, direction)
    energies = _EnergiesWith.apply(keys, *(part.to(keys.dtype) for part in scaled), how)
    return energies - direction.sum() if how is SIGMOID else energies


class _Energies(Function):
    """From q (batch, queries, size), k (batch, source_len, size) and v (1, size) to scale v . squash(q + k)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, direction: Tensor, how: Squashing) -> Tensor:
        ctx.save_for_backward(query, keys, direction)
        ctx.how = how
        with torch.autocast(keys.device.type, enabled=False):  # a sigmoid's energies lose their digits in bfloat16
            gates = how.squash(query.unsqueeze(2) + keys.unsqueeze(1))  # (batch, queries, source_len, size)
            return how.scale * functional.linear(gates, direction).squeeze(3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, keys, direction = ctx.saved_tensors
        # Made again: what every step of a loop kept of them would not fit a processor's cache.
        gates = ctx.how.squash(query.unsqueeze(2) + keys.unsqueeze(1))
        scaled = (ctx.how.scale * gradient).to(gates.dtype)
        of_direction = torch.mm(scaled.reshape(1, -1), gates.view(-1, gates.shape[3]))
        slopes = scaled.unsqueeze(3) * direction
        ctx.how.slope(slopes, gates, grad_input=slopes)
        of_keys = slopes.squeeze(1) if slopes.shape[1] == 1 else slopes.sum(1)
        return slopes.sum(2), of_keys, of_direction, None


class _EnergiesWith(Function):
    """From k, q, f (batch, queries, source_len, features), P and v to scale v . squash(q + k + P f)."""

    @staticmethod
    def gates(query: Tensor, keys: Tensor, features: Tensor, projection: Tensor, how: Squashing) -> Tensor:
        """Give squash(q + k + P f) (batch, queries, source_len, size)."""
        return how.squash(functional.linear(features, projection).add_(query.unsqueeze(2)).add_(keys.unsqueeze(1)))

    @staticmethod
    def forward(
        ctx: Any, keys: Tensor, query: Tensor, features: Tensor, projection: Tensor, direction: Tensor, how: Squashing
    ) -> Tensor:
        ctx.save_for_backward(query, keys, features, projection, direction)
        ctx.how = how
        with torch.autocast(keys.device.type, enabled=False):
            gates = _EnergiesWith.gates(query, keys, features, projection, how)
            return how.scale * functional.linear(gates, direction).squeeze(3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, keys, features, projection, direction = ctx.saved_tensors
        gates = _EnergiesWith.gates(query, keys, features, projection, ctx.how)
        scaled = (ctx.how.scale * gradient).to(gates.dtype)
        of_direction = torch.mm(scaled.reshape(1, -1), gates.view(-1, gates.shape[3]))
        slopes = ctx.how.slope(scaled.unsqueeze(3) * direction, gates)
        of_projection = torch.mm(slopes.flatten(0, 2).t(), features.flatten(0, 2))
        return slopes.sum(1), slopes.sum(2), torch.matmul(slopes, projection), of_projection, of_direction, None
