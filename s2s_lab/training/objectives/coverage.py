"""Cross-entropy, and a price for attending again to what was attended to before."""

import torch

from s2s_lab.data.batch import Batch
from s2s_lab.faults import RequestError
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.training.objectives.base import Loss, Objective, teacher_forced
from s2s_lab.training.teacher_forcing import Coin


class CoverageLoss(Objective):
    """Negative log-likelihood + weight x sum over steps t and positions i of min(a_ti, c_ti), c the sum of earlier a.

    a are the attention's weights, whatever attention made them. The sum is logged as train/coverage, per token.

    Paper: See et al. 2017, arXiv 1704.04368, equations 12 and 13, whose weight is 1. Deviation: theirs is added after
    a training without it; here it is there from the first step on (init=RUN starts from a trained one).

    Args:
        weight: what the coverage loss counts against the cross-entropy.
        label_smoothing: of the cross-entropy, weight of the uniform distribution.

    Raises:
        RequestError: if `weight` is below 0 or label_smoothing outside [0, 1).
    """

    def __init__(self, *, weight: float = 1.0, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= weight < float("inf"):
            raise RequestError(f"objective.weight={weight}: a number of at least 0 is expected")
        if not 0.0 <= label_smoothing < 1.0:
            raise RequestError(f"objective.label_smoothing={label_smoothing}: a number from 0 to below 1 is expected")
        self.weight = weight
        self.label_smoothing = label_smoothing

    def check(self, network: Seq2Seq) -> None:
        """See Objective."""
        if network.decoder.attention.constant:
            raise RequestError("objective=coverage needs an attention with weights; attention=none has none")

    def forward(self, network: Seq2Seq, batch: Batch, *, teacher_forcing: float = 1.0, coin: Coin = "token") -> Loss:
        """See Objective."""
        features, weights = teacher_forced(network, batch, teacher_forcing, coin)
        if weights is None:
            raise RequestError("objective=coverage needs an attention with weights; this network gives none")
        mask = batch.mask
        smoothing = self.label_smoothing if self.training else 0.0
        total, negative_log_likelihood = network.output.loss(features[mask], batch.targets[mask], smoothing)
        covered = weights.cumsum(dim=1) - weights  # (rows, target_len, source_len), of the steps before
        coverage = torch.minimum(weights, covered).sum(dim=2)[mask].sum()
        return Loss(
            total + self.weight * coverage,
            negative_log_likelihood.detach(),
            int(batch.target_lengths.sum()),
            parts={"coverage": coverage.detach()},
        )
