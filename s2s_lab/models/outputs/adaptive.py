"""The output that computes frequent words at full width and rare ones in clusters."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.checks import require_positive
from s2s_lab.models.outputs.base import Output, cross_entropy


class AdaptiveOutput(Output):
    """A softmax over the frequent ids and one entry for each cluster of rarer ones, and one softmax within each.

    It counts on ids being in the order of their frequency, as vocabularies of words and characters are. Cluster i's
    features are projected to feature_size / divisor^i first. A loss without label smoothing computes of each cluster
    the rows alone whose target is in it.

    Paper: Grave et al. 2017, arXiv 1609.04309, first version, sections 4.2 and 4.3; as
    torch.nn.AdaptiveLogSoftmaxWithLoss. Deviation: clusters begin at shares of the vocabulary.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: unused.
        memory_size: unused.
        shares: where the clusters begin, as shares of the vocabulary, ascending, between 0 and 1; clusters that would
            begin at the same id are one.
        divisor: at least 1.

    Raises:
        RequestError: a setting is none of these.
    """

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int = 0,
        memory_size: int = 0,
        shares: Sequence[float] = (0.1, 0.4),
        divisor: int = 4,
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        require_positive("output.divisor", divisor)
        numbers = all(isinstance(share, int | float) and not isinstance(share, bool) for share in shares)
        if not (numbers and shares and list(shares) == sorted(set(shares)) and 0.0 < shares[0] and shares[-1] < 1.0):
            raise RequestError(f"output.shares is {list(shares)}, expected ascending numbers between 0 and 1")
        last = vocabulary_size - 1
        starts = sorted({min(last, max(1, round(share * vocabulary_size))) for share in shares})
        self.bounds = (*starts, vocabulary_size)
        self.head = nn.Linear(feature_size, starts[0] + len(starts))
        self.tails = nn.ModuleList(
            nn.Sequential(
                nn.Linear(feature_size, max(1, feature_size // divisor**place), bias=False),
                nn.Linear(max(1, feature_size // divisor**place), stop - start, bias=False),
            )
            for place, (start, stop) in enumerate(zip(self.bounds, self.bounds[1:], strict=False), start=1)
        )

    def scores(self, features: Tensor) -> Tensor:
        """Give log-probabilities (..., vocab); see Output."""
        first = self.bounds[0]
        head = _log_softmax(self.head(features))
        clusters = [
            _log_softmax(tail(features)) + head[..., first + place, None] for place, tail in enumerate(self.tails)
        ]
        return torch.cat((head[..., :first], *clusters), dim=-1)

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; see Output."""
        if label_smoothing:
            return cross_entropy(self.scores(features), targets, label_smoothing)
        first = self.bounds[0]
        starts = torch.tensor(self.bounds[:-1], device=targets.device)
        cluster = torch.bucketize(targets, starts, right=True)  # 0: in the head itself
        entries = torch.where(cluster == 0, targets, first + cluster - 1)
        log_likelihood = _log_softmax(self.head(features)).gather(1, entries.unsqueeze(1)).sum()
        for place, tail in enumerate(self.tails):
            rows = (cluster == place + 1).nonzero().squeeze(1)
            inside = (targets.index_select(0, rows) - self.bounds[place]).unsqueeze(1)
            of_cluster = _log_softmax(tail(features.index_select(0, rows)))
            log_likelihood = log_likelihood + of_cluster.gather(1, inside).sum()
        return -log_likelihood, -log_likelihood.detach()


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))
