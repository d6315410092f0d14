"""The bridge that projects the encoder's top state."""

from s2s_lab.models.bridges.base import ProjectingBridge


class ProjectedBridge(ProjectingBridge):
    """Each part of each decoder layer starts at its own projection f(W h + b) of the encoder's top output h.

    Of cell=sru h is the memory.

    Paper: Bahdanau et al. 2015, arXiv 1409.0473, A.2.2: s_0 = tanh(W_s h_1). Deviation: h holds both directions, the
    paper takes the backward one alone; with a bias.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
        memory_size: unused.
        nonlinearity: f, "tanh" or "identity".

    Raises:
        RequestError: `nonlinearity` is neither.
    """

    def source(self, height: int, place: int) -> tuple[int, int]:
        """Give the top layer's output; see ProjectingBridge."""
        return len(self.encoder_state_sizes) - 1, 0
