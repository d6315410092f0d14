"""Cross-entropy of the next token, with optional label smoothing."""

from s2s_lab.data.batch import Batch
from s2s_lab.faults import RequestError
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.training.objectives.base import Loss, Objective, teacher_forced
from s2s_lab.training.teacher_forcing import Coin


class CrossEntropy(Objective):
    """Negative log-likelihood of the references, token by token.

    Paper: Szegedy et al. 2016, "Rethinking the Inception Architecture", arXiv 1512.00567, section 7: label smoothing
    mixes the reference with the uniform distribution over the vocabulary with weight `label_smoothing`.

    Args:
        label_smoothing: weight of the uniform distribution, 0 to 1.

    Raises:
        RequestError: if label_smoothing is outside [0, 1).
    """

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise RequestError(f"objective.label_smoothing={label_smoothing}: a number from 0 to below 1 is expected")
        self.label_smoothing = label_smoothing

    def forward(self, network: Seq2Seq, batch: Batch, *, teacher_forcing: float = 1.0, coin: Coin = "token") -> Loss:
        """See Objective."""
        features, _ = teacher_forced(network, batch, teacher_forcing, coin)
        mask = batch.mask
        smoothing = self.label_smoothing if self.training else 0.0
        total, negative_log_likelihood = network.output.loss(features[mask], batch.targets[mask], smoothing)
        return Loss(total, negative_log_likelihood.detach(), int(batch.target_lengths.sum()))
