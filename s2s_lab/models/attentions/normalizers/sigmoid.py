"""Sigmoids that share one sum: the smoothing of Chorowski et al."""

from torch import Tensor
from torch.nn import functional

from s2s_lab.models.attentions.normalizers.base import Normalizer


class SigmoidNormalizer(Normalizer):
    """weights = sigmoid(energies) / sum of sigmoid(energies): bounded, so that many positions share the weight.

    Paper: Chorowski et al. 2015, arXiv 1506.07503, section 2.3, "smoothing". It depends on the energies' level, where
    the others depend on their differences alone. Computed as softmax(log sigmoid(energies)), so that no sum vanishes.
    """

    def project(self, energies: Tensor) -> Tensor:
        """Give sigmoids over their sum; see Normalizer."""
        return functional.logsigmoid(energies).softmax(dim=-1)
