"""The bridge that projects the encoder's top state."""

import torch
from torch import Tensor, nn

from s2s_lab.models.bridges.base import Bridge, NestedState, StateSizes
from s2s_lab.models.checks import require_choice


class ProjectedBridge(Bridge):
    """Each part of each decoder layer starts at its own projection f(W h + b) of the encoder's top output h.

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

    def __init__(
        self,
        *,
        encoder_state_sizes: StateSizes,
        decoder_state_sizes: StateSizes,
        memory_size: int = 0,
        nonlinearity: str = "tanh",
    ) -> None:
        super().__init__(encoder_state_sizes=encoder_state_sizes, decoder_state_sizes=decoder_state_sizes)
        require_choice("bridge.nonlinearity", nonlinearity, ("tanh", "identity"))
        self.nonlinearity = torch.tanh if nonlinearity == "tanh" else nn.Identity()
        top_size = encoder_state_sizes[-1][0]
        self.projections = nn.ModuleList(
            nn.ModuleList(nn.Linear(top_size, size) for size in layer) for layer in decoder_state_sizes
        )

    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Project the top layer's output; see Bridge."""
        top = encoder_final_state[-1][0]
        return tuple(
            tuple(self.nonlinearity(projection(top)) for projection in layer)  # type: ignore[union-attr]
            for layer in self.projections
        )
