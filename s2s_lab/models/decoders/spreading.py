"""A decoder over a memory shorter than its source, whose weights are given for the source's positions."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

from s2s_lab.models.attentions.base import Attention, Prepared
from s2s_lab.models.decoders.base import Decoder, DecoderState
from s2s_lab.models.encoders.base import EncoderOutput


class SpreadMemory(NamedTuple):
    """What the decoder prepared, and how its weights are spread.

    Attributes:
        prepared: of the decoder within.
        shares: (batch, source_len), each position's share of its memory entry's weight, 0 on padding.
    """

    prepared: Prepared
    shares: Tensor


class SpreadingDecoder(Decoder):
    """Another decoder, the weight of whose memory entries is spread evenly over the source positions that each holds.

    Args:
        decoder: any decoder.
        reduction: source positions in one memory entry, the last one of a source perhaps fewer.
    """

    def __init__(self, *, decoder: Decoder, reduction: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.reduction = reduction
        self.state_sizes = decoder.state_sizes
        self.feature_size = decoder.feature_size

    @property
    def attention(self) -> Attention:  # type: ignore[override]
        """The attention of the decoder within."""
        return self.decoder.attention

    def prepare(self, encoded: EncoderOutput) -> SpreadMemory:
        """Prepare the source, and the share of each of its positions; see Decoder."""
        assert encoded.source_mask is not None
        entries, length = encoded.memory_mask.shape[1], encoded.source_mask.shape[1]
        real = encoded.source_mask.to(encoded.memory.dtype)
        counts = functional.pad(real, (0, entries * self.reduction - length)).unflatten(1, (entries, self.reduction))
        shares = real / self.spread(counts.sum(2), length).clamp(min=1.0)
        return SpreadMemory(self.decoder.prepare(encoded), shares)

    def initial_state(self, bridged: tuple[tuple[Tensor, ...], ...], prepared: SpreadMemory) -> DecoderState:
        """Give the state of the decoder within; see Decoder."""
        return self.decoder.initial_state(bridged, prepared.prepared)

    def step(
        self, embedded: Tensor, state: DecoderState, prepared: SpreadMemory
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Make one step; see Decoder."""
        features, state, weights = self.decoder.step(embedded, state, prepared.prepared)
        if weights is not None:
            sentences, length = prepared.shares.shape
            width = len(weights) // sentences if sentences else 1
            shares = prepared.shares.repeat_interleave(width, 0)
            weights = self.spread(weights, length) * shares
        return features, state, weights

    def forward(self, embedded: Tensor, state: DecoderState, prepared: SpreadMemory) -> tuple[Tensor, Tensor | None]:
        """Make all steps; see Decoder."""
        features, weights = self.decoder(embedded, state, prepared.prepared)
        if weights is not None:
            weights = self.spread(weights, prepared.shares.shape[1]) * prepared.shares.unsqueeze(1)
        return features, weights

    def spread(self, of_entries: Tensor, length: int) -> Tensor:
        """Repeat the values of memory entries (..., entries) for each of their positions: (..., length)."""
        return of_entries.repeat_interleave(self.reduction, dim=-1)[..., :length]
