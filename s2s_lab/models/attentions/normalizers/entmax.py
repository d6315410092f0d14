"""Entmax with alpha 1.5, between softmax and sparsemax."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from s2s_lab.models.attentions.normalizers.base import Normalizer


class EntmaxNormalizer(Normalizer):
    """weights = argmax over distributions p of p . energies + H(p) = max(energies / 2 - tau, 0)^2.

    H is the Tsallis entropy 4/3 sum(p - p^1.5).

    Paper: Peters et al. 2019, arXiv 1905.05702, algorithm 2 (exact, by sorting).
    """

    def project(self, energies: Tensor) -> Tensor:
        """Give the 1.5-entmax; see Normalizer."""
        return _Entmax.apply(energies)


class _Entmax(Function):
    """From energies (..., source_len) to weights, by sorting."""

    @staticmethod
    def forward(ctx: Any, energies: Tensor) -> Tensor:
        # Nothing whose half is further than 1 below the largest is in the support; -inf must not meet arithmetic.
        shifted = (0.5 * (energies - energies.amax(dim=-1, keepdim=True))).clamp_min(-2.0)
        ordered = shifted.sort(dim=-1, descending=True).values
        counts = torch.arange(1, ordered.shape[-1] + 1, dtype=ordered.dtype, device=ordered.device)
        means = ordered.cumsum(dim=-1) / counts
        spreads = ordered.square().cumsum(dim=-1) - counts * means.square()  # sums of squares around the means
        thresholds = means - ((1.0 - spreads) / counts).clamp_min(0.0).sqrt()
        support = (thresholds <= ordered).sum(dim=-1, keepdim=True)
        weights = (shifted - thresholds.gather(-1, support - 1)).clamp_min_(0.0).square_()
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        roots = weights.sqrt()
        inside = gradient * roots
        return inside - roots * inside.sum(dim=-1, keepdim=True) / roots.sum(dim=-1, keepdim=True)
