"""The output that mixes several softmaxes."""

import torch
from torch import Tensor, nn

from s2s_lab.models.checks import require_positive
from s2s_lab.models.outputs.base import Output, cross_entropy


class MixtureOutput(Output):
    """P = sum over k of p_k softmax(W h_k + b), with h_k = tanh(W_k features + b_k) and p = softmax(V features).

    Its log-probabilities are not limited to a matrix of rank feature_size. It costs as much as `softmaxes` linear
    outputs.

    Paper: Yang et al. 2018, arXiv 1711.03953, section 2.4. Deviation: biases b and b_k.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: unused.
        memory_size: unused.
        softmaxes: number of them.
    """

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int = 0,
        memory_size: int = 0,
        softmaxes: int = 3,
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        require_positive("output.softmaxes", softmaxes)
        self.softmaxes = softmaxes
        self.prior = nn.Linear(feature_size, softmaxes, bias=False)
        self.latent = nn.Linear(feature_size, softmaxes * feature_size)
        self.projection = nn.Linear(feature_size, vocabulary_size)

    def scores(self, features: Tensor) -> Tensor:
        """Give log-probabilities (..., vocab); see Output."""
        latent = torch.tanh(self.latent(features)).unflatten(-1, (self.softmaxes, self.feature_size))
        logits, prior = self.projection(latent), self.prior(features)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        log_probs = logits.log_softmax(dim=-1, dtype=dtype)
        return (log_probs + prior.log_softmax(dim=-1, dtype=dtype).unsqueeze(-1)).logsumexp(dim=-2)

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; see Output."""
        return cross_entropy(self.scores(features), targets, label_smoothing)
