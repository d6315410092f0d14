"""The bridge that hands nothing over."""

from torch import Tensor

from s2s_lab.models.bridges.base import Bridge, NestedState


class ZeroBridge(Bridge):
    """The decoder starts from zeros: it sees the source through its contexts alone."""

    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Give zeros; see Bridge."""
        rows = summary.shape[0]
        return tuple(tuple(summary.new_zeros(rows, size) for size in layer) for layer in self.decoder_state_sizes)
