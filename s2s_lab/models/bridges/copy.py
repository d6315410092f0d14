"""The bridge that hands the encoder's final state over as it is."""

from torch import Tensor

from s2s_lab.faults import RequestError
from s2s_lab.models.bridges.base import Bridge, NestedState, StateSizes


class CopyBridge(Bridge):
    """Each decoder layer starts where the encoder layer of the same height ended.

    Paper: Sutskever et al. 2014, arXiv 1409.3215, section 2.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
        memory_size: unused.

    Raises:
        RequestError: the two differ.
    """

    def __init__(
        self, *, encoder_state_sizes: StateSizes, decoder_state_sizes: StateSizes, memory_size: int = 0
    ) -> None:
        super().__init__(encoder_state_sizes=encoder_state_sizes, decoder_state_sizes=decoder_state_sizes)
        if encoder_state_sizes != decoder_state_sizes:
            raise RequestError(
                f"bridge=copy needs equal states, but the encoder's sizes are {encoder_state_sizes} and the "
                f"decoder's {decoder_state_sizes} (layers of parts); make layers, hidden_size and cell equal, "
                "or take bridge=projected"
            )

    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Give the encoder's final state; see Bridge."""
        return encoder_final_state
