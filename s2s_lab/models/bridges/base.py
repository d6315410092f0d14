"""The contract of a bridge: from the encoder's final state to the decoder's first."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from s2s_lab.models.checks import require_choice
from s2s_lab.models.encoders.base import EncoderOutput

StateSizes = tuple[tuple[int, ...], ...]
NestedState = tuple[tuple[Tensor, ...], ...]


class Bridge(nn.Module, ABC):
    """What hands the encoder's final state over to the decoder.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
        memory_size: width of a memory entry.
    """

    def __init__(
        self, *, encoder_state_sizes: StateSizes, decoder_state_sizes: StateSizes, memory_size: int = 0
    ) -> None:
        super().__init__()
        self.encoder_state_sizes = encoder_state_sizes
        self.decoder_state_sizes = decoder_state_sizes

    def begin(self, encoded: EncoderOutput) -> NestedState:
        """Give the decoder's first state for what an encoder made; see `forward`."""
        return self(encoded.final_state, encoded.summary)

    @abstractmethod
    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Give the decoder's first state.

        Args:
            encoder_final_state: for each layer, parts (batch, size).
            summary: (batch, summary_size).

        Returns:
            For each decoder layer, parts (batch, size) of `decoder_state_sizes`.
        """


class ProjectingBridge(Bridge):
    """Each part of each decoder layer starts at its own projection f(W h + b) of a part h of the encoder's state.

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
        self.sources = tuple(
            tuple(self.source(height, place) for place in range(len(layer)))
            for height, layer in enumerate(decoder_state_sizes)
        )
        self.projections = nn.ModuleList(
            nn.ModuleList(
                nn.Linear(encoder_state_sizes[height][place], size)
                for (height, place), size in zip(sources, sizes, strict=True)
            )
            for sources, sizes in zip(self.sources, decoder_state_sizes, strict=True)
        )

    @abstractmethod
    def source(self, height: int, place: int) -> tuple[int, int]:
        """Give the encoder's layer and part that a part of a decoder's layer is projected from.

        Args:
            height: of the decoder's layer, from 0.
            place: of the part in its state, from 0.
        """

    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Project the parts; see Bridge."""
        return tuple(
            tuple(
                self.nonlinearity(projection(encoder_final_state[height][place]))
                for projection, (height, place) in zip(layer, sources, strict=True)  # type: ignore[arg-type]
            )
            for layer, sources in zip(self.projections, self.sources, strict=True)
        )


class PoolingBridge(Bridge):
    """Each part of each decoder layer starts at its own projection tanh(W p + b) of the memory, pooled into p.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
        memory_size: width of a memory entry.
    """

    def __init__(self, *, encoder_state_sizes: StateSizes, decoder_state_sizes: StateSizes, memory_size: int) -> None:
        super().__init__(encoder_state_sizes=encoder_state_sizes, decoder_state_sizes=decoder_state_sizes)
        self.projections = nn.ModuleList(
            nn.ModuleList(nn.Linear(memory_size, size) for size in layer) for layer in decoder_state_sizes
        )

    @abstractmethod
    def pool(self, memory: Tensor, mask: Tensor) -> Tensor:
        """Pool a memory.

        Args:
            memory: (batch, source_len, memory_size).
            mask: (batch, source_len) bool, True where real, at least once in each row.

        Returns:
            (batch, memory_size).
        """

    def begin(self, encoded: EncoderOutput) -> NestedState:
        """Pool the memory and project it; see Bridge."""
        if not self.decoder_state_sizes:
            return ()
        return self(encoded.final_state, self.pool(encoded.memory, encoded.memory_mask))

    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Project the pooled memory, which is given as the summary; see Bridge."""
        return tuple(
            tuple(torch.tanh(projection(summary)) for projection in layer)  # type: ignore[union-attr]
            for layer in self.projections
        )
