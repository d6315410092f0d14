"""The bridge that projects each encoder layer's final state for the decoder layer of the same height."""

from s2s_lab.models.bridges.base import ProjectingBridge


class PerLayerBridge(ProjectingBridge):
    """Each part of a decoder layer starts at f(W h + b) of its encoder layer's part; layers are paired from the top.

    Where the encoder has fewer layers its lowest one serves the decoder's lower layers too; where it has more, its
    lower ones serve none. Where an encoder layer has fewer parts, its output (the first part) stands for the others.

    Source: OpenNMT's bridge `dense_nonlinear` (Klein et al. 2017, arXiv 1701.02810). Deviation: each layer's part has
    a projection of its own, where OpenNMT projects all of them together.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
        memory_size: unused.
        nonlinearity: f, "tanh" or "identity".

    Raises:
        RequestError: `nonlinearity` is neither.
    """

    def source(self, height: int, place: int) -> tuple[int, int]:
        """Give the part of the same place, or the output, of the layer as far from the top; see ProjectingBridge."""
        layer = max(0, height + len(self.encoder_state_sizes) - len(self.decoder_state_sizes))
        return layer, place if place < len(self.encoder_state_sizes[layer]) else 0
