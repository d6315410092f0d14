"""The encoder of several sources for one target: an encoder for each, and what they hand on together."""

from typing import Protocol

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.checks import require_choice, require_layers
from s2s_lab.models.encoders.base import Encoder, EncoderOutput

STATES = ("projected", "mean")


class EncoderFactory(Protocol):
    """What builds an encoder of one source."""

    def __call__(self, *, input_size: int) -> Encoder:
        """Build one encoder."""
        ...


class MultiSourceEncoder(Encoder):
    """Reads each source with an encoder of its own, or all with the same one.

    The memory holds the real entries of all sources, one source after the other, so that any attention over it is the
    flat combination; `parts` has each source's own, for the hierarchical one. Final state and summary are combined:
    "projected" gives tanh(W [h_1; ...; h_n]) for each layer's output and the summary, and the sum of every other part
    (the memory of an LSTM); "mean" gives the mean of each part.

    Papers: Zoph and Knight 2016, arXiv 1601.00710, equations 1 and 2, the "basic" combination of states; Libovicky and
    Helcl 2017, arXiv 1704.06567, equations 6 and 7, the flat combination of memories. Deviations: any encoder; sources
    share vocabulary and embedding; in the flat combination the sources' memories have no projections of their own; the
    attention of Zoph and Knight, which reads each source apart, is not here; the state "mean", and the projected
    summary, are ours.

    Args:
        input_size: width of an embedded token.
        encoder: builds the encoder of a source.
        num_sources: number of sources.
        share: whether one encoder reads all sources.
        state: "projected" or "mean".

    Raises:
        RequestError: there is one source alone, or the encoder shortens its source.
    """

    def __init__(
        self,
        *,
        input_size: int,
        encoder: EncoderFactory,
        num_sources: int = 2,
        share: bool = False,
        state: str = "projected",
    ) -> None:
        super().__init__()
        require_layers("sources.num_sources", num_sources)
        if num_sources == 1:
            raise RequestError("sources.num_sources is 1, expected at least 2; or take sources=one")
        require_choice("sources.state", state, STATES)
        self.num_sources = num_sources
        self.encoders = nn.ModuleList(encoder(input_size=input_size) for _ in range(1 if share else num_sources))
        first: Encoder = self.encoders[0]  # type: ignore[assignment]
        self.reads = first.reads
        if first.reduction > 1:
            raise RequestError(
                f"sources=several needs a memory entry for each source position, but {type(first).__name__} gives one "
                f"for {first.reduction}"
            )
        self.memory_size, self.summary_size = first.memory_size, first.summary_size
        self.state_sizes = first.state_sizes
        self.projections: nn.ModuleList | None = None
        if state == "projected":
            widths = [*(layer[0] for layer in self.state_sizes), self.summary_size]
            self.projections = nn.ModuleList(nn.Linear(num_sources * width, width, bias=False) for width in widths)

    def forward(self, embedded: tuple[Tensor, ...], lengths: tuple[Tensor, ...]) -> EncoderOutput:  # type: ignore[override]
        """Read the sources.

        Args:
            embedded: of each source, (batch, source_len, input_size).
            lengths: of each source, (batch,), its real positions, at least 1.
        """
        encoders = [self.encoders[place if len(self.encoders) > 1 else 0] for place in range(self.num_sources)]
        parts = tuple(encoder(*source) for encoder, *source in zip(encoders, embedded, lengths, strict=True))
        mask = torch.cat([part.memory_mask for part in parts], 1)
        places = (~mask).to(torch.uint8).argsort(dim=1, stable=True)  # real entries first, in their order
        memory = torch.cat([part.memory for part in parts], 1).take_along_dim(places.unsqueeze(2), 1)
        layers = [self._layer(height, parts) for height in range(len(self.state_sizes))]
        summary = self._combined(-1, [part.summary for part in parts])
        combined = [*(layer[0] for layer in layers), summary]
        return EncoderOutput(
            _known_to(memory, combined),
            mask.gather(1, places),
            tuple((_known_to(first, combined), *others) for first, *others in layers),
            _known_to(summary, combined),
            parts=tuple(part._replace(memory=_known_to(part.memory, combined)) for part in parts),
            places=places,
        )

    def _layer(self, height: int, parts: tuple[EncoderOutput, ...]) -> tuple[Tensor, ...]:
        """Combine a layer's final states."""
        first, *others = zip(*(part.final_state[height] for part in parts), strict=True)
        share = 1 if self.projections is not None else self.num_sources
        return self._combined(height, first), *(torch.stack(other).sum(0) / share for other in others)

    def _combined(self, place: int, vectors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
        """Combine vectors (batch, size), one of each source."""
        if self.projections is None:
            return torch.stack(tuple(vectors)).mean(0)
        return torch.tanh(self.projections[place](torch.cat(tuple(vectors), 1)))


def _known_to(tensor: Tensor, others: list[Tensor]) -> Tensor:
    """Give a tensor as it is, with parts of no width of others (batch, size) beside it.

    So every projection has a gradient, of zeros, where nothing reads what it made: some optimizers and ranks ask for
    one.
    """
    empty = [other[:, :0].to(tensor.dtype) for other in others]
    wide = [part if tensor.ndim == 2 else part.unsqueeze(1).expand(-1, tensor.shape[1], -1) for part in empty]
    return torch.cat((tensor, *wide), tensor.ndim - 1)
