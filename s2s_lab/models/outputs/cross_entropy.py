"""The cross-entropy of a linear map of features, computed a block of rows at a time."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

# Most entries (rows x vocabulary) of a block, 16 MB of float32: small enough for a processor's cache, large enough for
# fast products.
BLOCK_ENTRIES = 1 << 22


def linear_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Give the cross-entropy of softmax(weight features + bias), summed over tokens, in nats.

    The log-probabilities of all tokens never exist at once, and the gradients are made on the way forward, when each
    block is at hand. Products follow autocast; the softmax is in float32 at least.

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


def blocks(tokens: int, vocab: int) -> list[slice]:
    """Cut `tokens` rows of `vocab` entries into the fewest blocks of at most BLOCK_ENTRIES, about equally long."""
    count = min(tokens, -(-tokens * vocab // BLOCK_ENTRIES))
    return [slice(tokens * index // count, tokens * (index + 1) // count) for index in range(count)]


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
        sum_type = torch.promote_types(compute_type, torch.float32)
        vocab = weight.shape[0]
        loss, nll = torch.zeros(2, dtype=sum_type, device=features.device)
        with torch.autocast(features.device.type, enabled=False):
            fast_features, fast_weight = features.to(compute_type), weight.to(compute_type)
            gradients = _Gradients(features, weight, bias, sum_type) if differentiate else None
            for block in blocks(len(targets), vocab):
                right = targets[block].unsqueeze(1)
                logits = torch.mm(fast_features[block], fast_weight.t()).to(sum_type).add_(bias)
                probabilities = torch.softmax(logits, dim=1)
                # The logarithm of the sum of exp(logits), from the most probable token's share of it.
                log_totals = logits.amax(dim=1, keepdim=True) - probabilities.amax(dim=1, keepdim=True).log_()
                block_nll = (log_totals - logits.gather(1, right)).sum()
                nll = nll + block_nll
                loss = loss + (1.0 - label_smoothing) * block_nll
                if label_smoothing:
                    loss = loss + label_smoothing * (log_totals.sum() - logits.sum() / vocab)
                if gradients is not None:
                    slopes = probabilities  # minus the smoothed targets
                    slopes.scatter_add_(1, right, slopes.new_full(right.shape, label_smoothing - 1.0))
                    if label_smoothing:
                        slopes -= label_smoothing / vocab
                    gradients.add(block, slopes, fast_features[block], fast_weight)
        if gradients is not None:
            ctx.save_for_backward(gradients.features, gradients.weight, gradients.bias)
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(ctx: Any, loss_slope: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [gradient * loss_slope.to(gradient.dtype) for gradient in ctx.saved_tensors]
        return *scaled, None, None, None, None


class _Gradients:
    """The gradients of the loss, block after block."""

    def __init__(self, features: Tensor, weight: Tensor, bias: Tensor, sum_type: torch.dtype) -> None:
        self.features = torch.empty_like(features)
        self.weight = torch.zeros_like(weight, dtype=sum_type)
        self.bias = torch.zeros_like(bias, dtype=sum_type)

    def add(self, block: slice, slopes: Tensor, features: Tensor, weight: Tensor) -> None:
        """Add a block's share.

        Args:
            block: its rows.
            slopes: (rows, vocab), the loss's derivatives by the logits.
            features: (rows, feature_size), in the products' type.
            weight: (vocab, feature_size), in the products' type.
        """
        self.bias += slopes.sum(dim=0)
        slopes = slopes.to(weight.dtype)
        self.features[block] = slopes @ weight
        if self.weight.dtype == weight.dtype:
            self.weight.addmm_(slopes.t(), features)
        else:
            self.weight += slopes.t() @ features
