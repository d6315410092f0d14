"""The contract of a normalizer: energies become weights that sum to one over the real positions."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from s2s_lab.models.checks import require_above_zero


class Normalizer(nn.Module, ABC):
    """What turns the energies of an attention into weights.

    A variant gives `project`; temperature and mask are here.

    Args:
        temperature: what energies are divided by; above 1 evens the weights out, below 1 sharpens them.

    Raises:
        RequestError: `temperature` is not above 0.
    """

    def __init__(self, *, temperature: float = 1.0) -> None:
        super().__init__()
        require_above_zero("attention.normalizer.temperature", temperature)
        self.temperature = temperature

    @abstractmethod
    def project(self, energies: Tensor) -> Tensor:
        """Give weights (..., source_len), each row summing to 1, exactly 0 where energies are -inf; never all are."""

    def forward(self, energies: Tensor, mask: Tensor) -> Tensor:
        """Give the weights, in float32 at least.

        Args:
            energies: (..., source_len), -inf where nothing may be attended to.
            mask: bool, broadcast to the energies, True where real.

        Returns:
            (..., source_len), exactly 0 where not real, each row summing to 1.
        """
        energies = energies.to(torch.promote_types(energies.dtype, torch.float32))
        if self.temperature != 1.0:
            energies = energies / self.temperature
        return self.project(energies.masked_fill(~mask, float("-inf")))
