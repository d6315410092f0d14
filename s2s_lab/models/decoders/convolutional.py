"""The convolutional decoder, with cached windows."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.attentions.base import Attention, AttentionState, Prepared
from s2s_lab.models.checks import require_positive, require_stack
from s2s_lab.models.decoders.base import AttentionFactory, Decoder, attend_all
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.layers.convolution import HALF_VARIANCE, GatedConvolution, NormalisedLinear
from s2s_lab.models.layers.dropout import Dropout
from s2s_lab.models.layers.positions import Positions, require_positions


class LayerState(NamedTuple):
    """What a layer keeps of the steps before.

    Attributes:
        window: (rows, kernel_size - 1, size), its last inputs, zeros before the first.
        attention: what its attention keeps.
    """

    window: Tensor
    attention: AttentionState = ()


class ConvolutionalState(NamedTuple):
    """What the next step needs.

    Attributes:
        start: (rows, hidden), the bridged state, before the first step; (rows, 0) after it.
        position: (rows, steps, 0), empty: the number of steps made.
        layers: of each layer.
    """

    start: Tensor
    position: Tensor
    layers: tuple[LayerState, ...]


class PreparedLayers(NamedTuple):
    """What is kept of a batch of sources.

    Attributes:
        root: (batch,), of the number of memory entries.
        layers: what the attention of each layer prepared.
    """

    root: Tensor
    layers: tuple[Prepared, ...]


class ConvolutionalDecoder(Decoder):
    """Gated convolutions of what came before, an attention to the source in each layer, ways round both.

    In layer l, with g the projected token and position vectors: h = glu(convolution of the layer's inputs up to here),
    query = W h + g, context c = sqrt(m) attention(query) over a source of m entries, output = h + U c + input; every
    sum of two is scaled by the root of one half. Features are a projection of the top output. `attention` builds what
    looks at the source, one for each layer; the paper's is "dot"; one of empty context leaves it out, a constant one is
    not scaled. The bridged state is added to g of the first token; bridge=zero, which changes nothing, is the paper's.
    The weights given are the layers' mean.

    Paper: Gehring et al. 2017, arXiv 1705.03122, sections 3.2 to 3.5, weight normalisation on every
    linear map and convolution within. Deviations: see ConvolutionalEncoder; as in its authors' program there are a
    projection U of the context and one of the features, and the sums W h + g and h + U c are scaled, where equation 1
    and "simply added" scale nothing.

    Args:
        input_size: width of an embedded token.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention of a layer to the source.
        hidden_size: width of the layers, of a query and of the features.
        num_layers: number of layers.
        kernel_size: entries in a window, the last one its own.
        dropout: probability of zeroing an entry of the token vectors, of the input of a layer, and a feature.
        positions: "learned", "sinusoidal" or "none".
        max_length: most tokens of a target where positions are learned.

    Raises:
        RequestError: the positions are none of these.
    """

    def __init__(
        self,
        *,
        input_size: int,
        memory_size: int,
        summary_size: int,
        attention: AttentionFactory,
        hidden_size: int,
        num_layers: int = 4,
        kernel_size: int = 3,
        dropout: float = 0.0,
        positions: str = "learned",
        max_length: int = 1024,
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        require_positive("decoder.kernel_size", kernel_size)
        require_positions("decoder", positions)
        self.positions = Positions(kind=positions, size=input_size, max_length=max_length, part="decoder")
        self.dropout = Dropout(dropout)
        self.entry = NormalisedLinear(input_size, hidden_size)
        self.layers = nn.ModuleList(
            ConvolutionalDecoderLayer(
                size=hidden_size,
                kernel_size=kernel_size,
                dropout=dropout,
                attention=attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size),
            )
            for _ in range(num_layers)
        )
        self.exit = NormalisedLinear(hidden_size, hidden_size)
        self.state_sizes = ((hidden_size,),)
        self.feature_size = hidden_size

    @property
    def attention(self) -> Attention:  # type: ignore[override]
        """The highest layer's attention to the source."""
        return self.layers[-1].attention  # type: ignore[return-value]

    def prepare(self, encoded: EncoderOutput) -> PreparedLayers:
        """Prepare the source for the attention of each layer; see Decoder."""
        root = encoded.memory_mask.sum(1).to(encoded.memory.dtype).sqrt()
        return PreparedLayers(root, tuple(layer.attention.prepare(encoded) for layer in self.layers))  # type: ignore[union-attr, operator]

    def initial_state(self, bridged: tuple[tuple[Tensor, ...], ...], prepared: PreparedLayers) -> ConvolutionalState:
        """Start with windows of zeros; see Decoder."""
        ((start,),) = bridged
        pairs = zip(self.layers, prepared.layers, strict=True)
        layers = tuple(layer.initial_state(start, part) for layer, part in pairs)  # type: ignore[operator]
        return ConvolutionalState(start, start.new_empty(start.shape[0], 0, 0), layers)

    def step(
        self, embedded: Tensor, state: ConvolutionalState, prepared: PreparedLayers
    ) -> tuple[Tensor, ConvolutionalState, Tensor | None]:
        """Make one step; see Decoder."""
        position = state.position.shape[1]
        entered = self.entry(self.dropout(self.positions(embedded.unsqueeze(1), position))).squeeze(1)
        if position == 0:
            entered = entered + state.start
        outputs, following, all_weights = entered, [], []
        for layer, kept, part in zip(self.layers, state.layers, prepared.layers, strict=True):
            outputs, kept, weights = layer.step(outputs, entered, kept, part, prepared.root)  # type: ignore[operator]
            following.append(kept)
            all_weights.append(weights)
        position = state.position.new_empty(len(embedded), position + 1, 0)
        following = ConvolutionalState(state.start[:, :0], position, tuple(following))
        return self.dropout(self.exit(outputs)), following, mean(all_weights)

    def forward(
        self, embedded: Tensor, state: ConvolutionalState, prepared: PreparedLayers
    ) -> tuple[Tensor, Tensor | None]:
        """Make all steps in one go; see Decoder."""
        start = functional.pad(state.start.unsqueeze(1), (0, 0, 0, embedded.shape[1] - 1))
        entered = self.entry(self.dropout(self.positions(embedded))) + start
        outputs, all_weights = entered, []
        for layer, kept, part in zip(self.layers, state.layers, prepared.layers, strict=True):
            outputs, weights = layer(outputs, entered, kept, part, prepared.root)
            all_weights.append(weights)
        return self.dropout(self.exit(outputs)), mean(all_weights)


class ConvolutionalDecoderLayer(nn.Module):
    """One layer of the decoder.

    Args:
        size: width of an entry.
        kernel_size: entries in a window.
        dropout: probability of zeroing an entry of the convolution's input.
        attention: looks at the source.
    """

    def __init__(self, *, size: int, kernel_size: int, dropout: float, attention: Attention) -> None:
        super().__init__()
        self.convolution = GatedConvolution(size=size, kernel_size=kernel_size)
        self.dropout = Dropout(dropout)
        self.attention = attention
        if attention.context_size:
            self.combination = NormalisedLinear(attention.context_size, size)
        if attention.context_size and not attention.constant:
            self.query_projection = NormalisedLinear(size, size)

    def initial_state(self, like: Tensor, prepared: Prepared) -> LayerState:
        """Give the state before the first step, of the rows and type of `like` (rows, size)."""
        window = like.new_zeros(like.shape[0], self.convolution.kernel_size - 1, like.shape[1])
        return LayerState(window, self.attention.initial_state(prepared))

    def step(
        self, inputs: Tensor, entered: Tensor, state: LayerState, prepared: Prepared, root: Tensor
    ) -> tuple[Tensor, LayerState, Tensor | None]:
        """Make one step.

        Args:
            inputs: (rows, size).
            entered: (rows, size), g.
            state: of this layer.
            prepared: what the attention prepared.
            root: (batch,), of the number of memory entries.

        Returns:
            The output (rows, size), the next state, and the weights (rows, source_len) or None.
        """
        window = torch.cat((state.window, self.dropout(inputs).unsqueeze(1)), dim=1)
        found, weights, attention = self.convolution.step(window), None, state.attention
        if self.attention.context_size:
            context, weights, attention = self.attention.step(self.query(found, entered), prepared, attention)
            width = len(inputs) // len(root) if len(root) else 1
            found = self.add(found, context, root.repeat_interleave(width).unsqueeze(1))
        return (found + inputs) * HALF_VARIANCE, LayerState(window[:, 1:], attention), weights

    def forward(
        self, inputs: Tensor, entered: Tensor, state: LayerState, prepared: Prepared, root: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Make all steps: inputs (batch, target_len, size) to outputs and weights; see `step`."""
        found, weights = self.convolution(torch.cat((state.window, self.dropout(inputs)), dim=1)), None
        if self.attention.context_size:
            queries = self.query(found, entered)
            contexts, weights = attend_all(self.attention, queries, state.attention, prepared)
            found = self.add(found, contexts, root.view(-1, 1, 1))
        return (found + inputs) * HALF_VARIANCE, weights

    def query(self, found: Tensor, entered: Tensor) -> Tensor:
        """Give W h + g, scaled, or h itself where no query is compared with anything."""
        return found if self.attention.constant else (self.query_projection(found) + entered) * HALF_VARIANCE

    def add(self, found: Tensor, context: Tensor, root: Tensor) -> Tensor:
        """Give h + U sqrt(m) c, scaled; a constant context is added as it is."""
        context = context if self.attention.constant else context * root
        return (found + self.combination(context)) * HALF_VARIANCE


def mean(all_weights: list[Tensor | None]) -> Tensor | None:
    """Give the mean of each layer's weights (..., source_len); None where there are none."""
    given = [weights for weights in all_weights if weights is not None]
    return torch.stack(given).mean(0) if given else None
