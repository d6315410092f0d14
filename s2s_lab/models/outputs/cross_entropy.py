"""The cross-entropy of a linear map of features, with its gradients made on the way forward."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

# Most entries (rows x vocabulary) of a chunk, whose products are made at once and whose slopes are kept until then; and
# of a block, whose softmax is made at once: 16 MB of float32, which a processor's cache holds.
CHUNK_ENTRIES = 1 << 24
BLOCK_ENTRIES = 1 << 22
# Rows and columns are padded to a multiple of this: products of odd widths are up to half as fast, and each shape of a
# product that a training meets costs the time and memory of a kernel of its own.
ALIGNMENT = 64


def linear_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Give the cross-entropy of softmax(weight features + bias), summed over tokens, in nats.

    The log-probabilities of all tokens never exist at once, and the gradients are made on the way forward, when each
    chunk is at hand. Products follow autocast; the softmax is in float32 at least.

    Args:
        features: (tokens, feature_size).
        weight: (vocab, feature_size).
        bias: (vocab,).
        targets: (tokens,), ids.
        label_smoothing: share of the target distribution spread evenly over the vocabulary.

    Returns:
        Two scalars: the loss against the smoothed targets and, without gradient, the negative log-likelihood.
    """
    device = features.device.type
    compute_type = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    differentiate = torch.is_grad_enabled() and any(part.requires_grad for part in (features, weight, bias))
    return _LinearCrossEntropy.apply(  # type: ignore[return-value]
        features, weight, bias, targets, label_smoothing, compute_type, differentiate
    )


def aligned(count: int) -> int:
    """Give the next multiple of ALIGNMENT."""
    return -(-count // ALIGNMENT) * ALIGNMENT


def pieces(start: int, stop: int, columns: int, entries: int) -> Iterator[slice]:
    """Cut rows of `columns` entries into pieces of at most `entries`, or of ALIGNMENT rows where that is more."""
    rows = max(1, entries // columns // ALIGNMENT) * ALIGNMENT
    for first in range(start, stop, rows):
        yield slice(first, min(first + rows, stop))


class _LinearCrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        label_smoothing: float,
        compute_type: torch.dtype,
        differentiate: bool,
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(features.device.type, enabled=False):
            sums = _Sums(features, weight, bias, targets, label_smoothing, compute_type)
            for chunk in pieces(0, len(sums.features), sums.columns, CHUNK_ENTRIES):
                sums.add(chunk, differentiate)
        if differentiate:
            ctx.save_for_backward(*sums.gradients)
            ctx.types = (features.dtype, weight.dtype, bias.dtype)
        ctx.mark_non_differentiable(sums.negative_log_likelihood)
        return sums.loss, sums.negative_log_likelihood

    @staticmethod
    def backward(ctx: Any, loss_slope: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [
            gradient.to(dtype, copy=True).mul_(loss_slope)
            for gradient, dtype in zip(ctx.saved_tensors, ctx.types, strict=True)
        ]
        return *scaled, None, None, None, None


class _Sums:
    """The loss and its gradients, chunk after chunk.

    Attributes:
        columns: width of a row of logits, padding included.
        loss: scalar, against the smoothed targets.
        negative_log_likelihood: scalar.
        features_gradient: (tokens, feature_size), in the products' type.
        weight_gradient: (columns, feature_size); the products' type while there is one chunk, else float32 at least.
        bias_gradient: (vocab,), float32 at least.
    """

    def __init__(
        self,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        label_smoothing: float,
        compute_type: torch.dtype,
    ) -> None:
        self.vocab = weight.shape[0]
        self.columns = aligned(self.vocab)
        self.sum_type = torch.promote_types(compute_type, torch.float32)
        self.features = features.new_zeros((aligned(len(features)), features.shape[1]), dtype=compute_type)
        self.features[: len(features)] = features
        self.weight = weight.new_zeros((self.columns, weight.shape[1]), dtype=compute_type)
        self.weight[: self.vocab] = weight
        self.bias = bias.to(self.sum_type)
        self.targets = targets
        self.label_smoothing = label_smoothing
        self.loss, self.negative_log_likelihood = torch.zeros(2, dtype=self.sum_type, device=features.device)
        self.features_gradient = torch.zeros_like(self.features)
        self.weight_gradient: Tensor | None = None
        self.bias_gradient = torch.zeros_like(self.bias)

    @property
    def gradients(self) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of features, weight and bias, as they are."""
        of_weight = torch.zeros_like(self.weight) if self.weight_gradient is None else self.weight_gradient
        return self.features_gradient[: len(self.targets)], of_weight[: self.vocab], self.bias_gradient

    def add(self, chunk: slice, differentiate: bool) -> None:
        """Add the tokens of a chunk of padded rows."""
        slopes = self.weight.new_empty((chunk.stop - chunk.start, self.columns)) if differentiate else None
        for block in pieces(chunk.start, chunk.stop, self.columns, BLOCK_ENTRIES):
            place = slice(block.start - chunk.start, block.stop - chunk.start)
            self._add_block(block, None if slopes is None else slopes[place])
        if slopes is None:
            return
        torch.mm(slopes, self.weight, out=self.features_gradient[chunk])
        of_weight = torch.mm(slopes.t(), self.features[chunk])
        if self.weight_gradient is None:
            self.weight_gradient = of_weight
        else:
            self.weight_gradient = self.weight_gradient.to(self.sum_type).add_(of_weight)

    def _add_block(self, block: slice, slopes: Tensor | None) -> None:
        """Add the losses of a block, and write the slopes of its logits (rows, columns), 0 on padding."""
        right = self.targets[block].unsqueeze(1)
        rows = len(right)  # real ones
        products = torch.mm(self.features[block], self.weight.t(), out=slopes)
        logits = products[:rows, : self.vocab].to(self.sum_type, copy=True).add_(self.bias)
        probabilities = torch.softmax(logits, dim=1)
        # The logarithm of the sum of exp(logits), from the most probable token's share of it.
        log_totals = logits.amax(dim=1, keepdim=True) - probabilities.amax(dim=1, keepdim=True).log_()
        nll = (log_totals - logits.gather(1, right)).sum()
        self.negative_log_likelihood += nll
        self.loss += (1.0 - self.label_smoothing) * nll
        if self.label_smoothing:
            self.loss += self.label_smoothing * (log_totals.sum() - logits.sum() / self.vocab)
        if slopes is None:
            return
        probabilities.scatter_add_(1, right, probabilities.new_full(right.shape, self.label_smoothing - 1.0))
        if self.label_smoothing:
            probabilities -= self.label_smoothing / self.vocab
        self.bias_gradient += probabilities.sum(dim=0)
        slopes[:rows, : self.vocab] = probabilities
        slopes[:rows, self.vocab :] = 0.0
        slopes[rows:] = 0.0
