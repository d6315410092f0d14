"""The contract of a bridge: from the encoder's final state to the decoder's first."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

StateSizes = tuple[tuple[int, ...], ...]
NestedState = tuple[tuple[Tensor, ...], ...]


class Bridge(nn.Module, ABC):
    """What hands the encoder's final state over to the decoder.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
    """

    def __init__(self, *, encoder_state_sizes: StateSizes, decoder_state_sizes: StateSizes) -> None:
        super().__init__()
        self.encoder_state_sizes = encoder_state_sizes
        self.decoder_state_sizes = decoder_state_sizes

    @abstractmethod
    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Give the decoder's first state.

        Args:
            encoder_final_state: for each layer, parts (batch, size).
            summary: (batch, summary_size).

        Returns:
            For each decoder layer, parts (batch, size) of `decoder_state_sizes`.
        """
