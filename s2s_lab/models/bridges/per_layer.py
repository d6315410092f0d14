"""The bridge that projects each encoder layer's final state for the decoder layer of the same height."""

import torch
from torch import Tensor, nn

from s2s_lab.models.bridges.base import Bridge, NestedState, StateSizes
from s2s_lab.models.checks import require_choice


class PerLayerBridge(Bridge):
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
        above = len(encoder_state_sizes) - len(decoder_state_sizes)
        self.pairs = tuple(
            tuple((max(0, above + height), place if place < len(encoder_state_sizes[max(0, above + height)]) else 0)
                  for place in range(len(layer)))
            for height, layer in enumerate(decoder_state_sizes)
        )  # fmt: skip
        self.projections = nn.ModuleList(
            nn.ModuleList(
                nn.Linear(encoder_state_sizes[height][place], size)
                for (height, place), size in zip(pairs, sizes, strict=True)
            )
            for pairs, sizes in zip(self.pairs, decoder_state_sizes, strict=True)
        )

    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Project each layer's parts; see Bridge."""
        return tuple(
            tuple(
                self.nonlinearity(projection(encoder_final_state[height][place]))
                for projection, (height, place) in zip(layer, pairs, strict=True)  # type: ignore[arg-type]
            )
            for layer, pairs in zip(self.projections, self.pairs, strict=True)
        )
