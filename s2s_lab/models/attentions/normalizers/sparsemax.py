"""Sparsemax: the nearest distribution to the energies."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from s2s_lab.models.attentions.normalizers.base import Normalizer


class SparsemaxNormalizer(Normalizer):
    """weights = argmin over distributions p of |p - energies|^2 = max(energies - tau, 0): many are exactly 0.

    Paper: Martins and Astudillo 2016, arXiv 1602.02068, algorithm 1.
    """

    def project(self, energies: Tensor) -> Tensor:
        """Give the nearest distribution; see Normalizer."""
        return _Sparsemax.apply(energies)


class _Sparsemax(Function):
    """From energies (..., source_len) to weights, by sorting."""

    @staticmethod
    def forward(ctx: Any, energies: Tensor) -> Tensor:
        # Nothing further than 1 below the largest energy is in the support; what is -inf must not meet arithmetic.
        shifted = (energies - energies.amax(dim=-1, keepdim=True)).clamp_min(-2.0)
        ordered = shifted.sort(dim=-1, descending=True).values
        counts = torch.arange(1, ordered.shape[-1] + 1, dtype=ordered.dtype, device=ordered.device)
        excess = ordered.cumsum(dim=-1) - 1.0  # over what a support of that many leaves to one
        support = (counts * ordered > excess).sum(dim=-1, keepdim=True)
        threshold = excess.gather(-1, support - 1) / support
        weights = (shifted - threshold).clamp_min_(0.0)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        support = weights > 0
        inside = gradient * support
        return (inside - inside.sum(dim=-1, keepdim=True) / support.sum(dim=-1, keepdim=True)) * support
