"""The norm of the whole gradient, wherever its pieces lie."""

import lightning.pytorch as pl
import torch


def clip_gradient(module: pl.LightningModule, limit: float) -> torch.Tensor:
    """Scales the gradient down to a norm of at most `limit`.

    Args:
        module: the training, with its gradients.
        limit: largest norm; infinite for none.

    Returns:
        Scalar, the Euclidean norm before.
    """
    wrapped = module.trainer.model
    if type(wrapped).__name__ == "FullyShardedDataParallel":  # each rank holds a piece: only the wrapper knows the sum
        return wrapped.clip_grad_norm_(limit)  # type: ignore[union-attr]
    return torch.nn.utils.clip_grad_norm_(module.parameters(), limit)
