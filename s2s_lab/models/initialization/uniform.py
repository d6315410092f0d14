"""All parameters drawn from one uniform distribution."""

from torch import nn

from s2s_lab.models.checks import require_above_zero
from s2s_lab.models.initialization.base import Initialization


class UniformInitialization(Initialization):
    """Every weight and bias uniform in [-scale, scale].

    Paper: Sutskever et al. 2014, arXiv 1409.3215 (0.08); Luong et al. 2015, arXiv 1508.04025 (0.1).

    Args:
        scale: the largest absolute value.

    Raises:
        RequestError: `scale` is not above 0.
    """

    def __init__(self, *, scale: float = 0.08) -> None:
        require_above_zero("initialization.scale", scale)
        self.scale = scale

    def fill(self, network: nn.Module) -> None:
        """Draw every parameter; see Initialization."""
        for parameter in network.parameters():
            nn.init.uniform_(parameter, -self.scale, self.scale)
