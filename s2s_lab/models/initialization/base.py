"""The contract of an initialization: first values for every parameter of a network."""

from abc import ABC, abstractmethod

import torch
from torch import nn

from s2s_lab.models.cells.base import Cell
from s2s_lab.models.layers.convolution import NormalisedLinear


class Initialization(ABC):
    """Gives every parameter its first value.

    After the variant's `fill`, cells set the biases they want fixed (an LSTM's forget bias), normalisations start as
    they were made (gains 1, biases 0; of weights: the weight as it was drawn), and the vectors of padding become zero.
    """

    @abstractmethod
    def fill(self, network: nn.Module) -> None:
        """Give every parameter of `network` a first value, in place."""

    def __call__(self, network: nn.Module) -> None:
        """Initialize `network` in place."""
        with torch.no_grad():
            self.fill(network)
            for module in network.modules():
                if isinstance(module, Cell):
                    module.initialize_biases()
                elif isinstance(module, NormalisedLinear):
                    module.reset_gain()
                elif isinstance(module, nn.LayerNorm):
                    module.reset_parameters()
                elif isinstance(module, nn.Embedding) and module.padding_idx is not None:
                    module.weight[module.padding_idx] = 0.0
