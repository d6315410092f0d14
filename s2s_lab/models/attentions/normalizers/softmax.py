"""Softmax with a temperature."""

from torch import Tensor

from s2s_lab.models.attentions.normalizers.base import Normalizer


class SoftmaxNormalizer(Normalizer):
    """weights = softmax(energies / temperature); with temperature 1 what every attention does by itself."""

    def project(self, energies: Tensor) -> Tensor:
        """Give softmax(energies); see Normalizer."""
        return energies.softmax(dim=-1)
