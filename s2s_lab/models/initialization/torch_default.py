"""The first values that torch's own modules choose."""

from torch import nn

from s2s_lab.models.initialization.base import Initialization


class TorchDefaultInitialization(Initialization):
    """Every parameter as torch made it: mostly uniform within 1 / sqrt(width), embeddings normal."""

    def fill(self, network: nn.Module) -> None:
        """Leave every parameter as it is; see Initialization."""
