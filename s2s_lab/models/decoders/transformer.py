"""The decoder of the Transformer, with cached keys and values."""

import math
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.attentions.base import Attention, AttentionState, Prepared, num_sentences
from s2s_lab.models.checks import require_stack
from s2s_lab.models.decoders.base import AttentionFactory, Decoder, attend_all
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.layers.dropout import Dropout
from s2s_lab.models.layers.positions import Positions, require_positions
from s2s_lab.models.layers.self_attention import Cache, SelfAttention, require_heads
from s2s_lab.models.layers.sublayer import FeedForward, Residual, feedforward_width


class LayerState(NamedTuple):
    """What a layer keeps of the steps before.

    Attributes:
        cache: keys and values (rows, heads, steps, head_size); a step's position is the number of steps kept.
        attention: what the attention to the source keeps.
    """

    cache: Cache
    attention: AttentionState = ()


class TransformerState(NamedTuple):
    """What the next step needs.

    Attributes:
        start: (rows, hidden), the bridged state, before the first step; (rows, 0) after it.
        layers: of each layer.
    """

    start: Tensor
    layers: tuple[LayerState, ...]


class TransformerDecoder(Decoder):
    """Layers in which every position looks at those before it, at the source, then passes a feed-forward net.

    `attention` builds what looks at the source, one for each layer, queried by the layer's own width: "transformer" is
    the paper's, any other one serves too, and one of empty context leaves that sublayer out. The bridged state is
    added to the vector of the first token; bridge=zero, which changes nothing, is the paper's. The weights given are
    those of the highest layer. The rest is as in TransformerEncoder.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, sections 3.1 to 3.5. Deviations: see TransformerEncoder.

    Args:
        input_size: width of an embedded token.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention of a layer to the source.
        hidden_size: width of the layers and of the features.
        num_layers: number of layers.
        num_heads: heads of the attention to the target's own tokens.
        feedforward_size: width inside the feed-forward net; None means 4 x `hidden_size`.
        dropout: probability of zeroing an entry of the lowest layer's input and of each sublayer's output.
        pre_norm: whether normalisation comes before each sublayer instead of after it.
        positions: "sinusoidal", "learned", "rotary" or "none".
        max_length: most tokens of a target where positions are learned.

    Raises:
        RequestError: `num_heads` does not divide `hidden_size`, or the positions are none of these.
    """

    def __init__(
        self,
        *,
        input_size: int,
        memory_size: int,
        summary_size: int,
        attention: AttentionFactory,
        hidden_size: int,
        num_layers: int = 6,
        num_heads: int = 8,
        feedforward_size: int | None = None,
        dropout: float = 0.0,
        pre_norm: bool = True,
        positions: str = "sinusoidal",
        max_length: int = 1024,
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        require_heads("decoder", hidden_size, num_heads)
        require_positions("decoder", positions, hidden_size // num_heads)
        inner_size = feedforward_width("decoder", hidden_size, feedforward_size)
        self.scale = math.sqrt(input_size)
        self.entry = nn.Linear(input_size, hidden_size) if input_size != hidden_size else nn.Identity()
        self.positions = Positions(kind=positions, size=hidden_size, max_length=max_length, part="decoder")
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerDecoderLayer(
                size=hidden_size,
                num_heads=num_heads,
                inner_size=inner_size,
                dropout=dropout,
                pre_norm=pre_norm,
                rotary=positions == "rotary",
                attention=attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size),
            )
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size) if pre_norm else nn.Identity()
        self.state_sizes = ((hidden_size,),)
        self.feature_size = hidden_size

    @property
    def attention(self) -> Attention:  # type: ignore[override]
        """The highest layer's attention to the source."""
        return self.layers[-1].attention  # type: ignore[return-value]

    def prepare(self, encoded: EncoderOutput) -> Prepared:
        """Prepare the source for the attention of each layer; see Decoder."""
        return tuple(layer.attention.prepare(encoded) for layer in self.layers)  # type: ignore[union-attr, operator]

    def initial_state(self, bridged: tuple[tuple[Tensor, ...], ...], prepared: Prepared) -> TransformerState:
        """Start with empty caches; see Decoder."""
        ((start,),) = bridged
        pairs = zip(self.layers, prepared, strict=True)
        return TransformerState(start, tuple(layer.initial_state(start, part) for layer, part in pairs))  # type: ignore[operator]

    def step(
        self, embedded: Tensor, state: TransformerState, prepared: Prepared
    ) -> tuple[Tensor, TransformerState, Tensor | None]:
        """Make one step; see Decoder."""
        position = state.layers[0].cache.keys.shape[2]
        outputs = self.entry(embedded * self.scale)
        if position == 0:
            outputs = outputs + state.start
        outputs = self.dropout(self.positions(outputs.unsqueeze(1), position))
        following: list[LayerState] = []
        weights = None
        for layer, kept, part in zip(self.layers, state.layers, prepared, strict=True):
            outputs, kept, weights = layer.step(outputs, kept, part, len(following) + 1 == len(self.layers))  # type: ignore[operator]
            following.append(kept)
        return self.norm(outputs.squeeze(1)), TransformerState(state.start[:, :0], tuple(following)), weights

    def forward(self, embedded: Tensor, state: TransformerState, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Make all steps in one go; see Decoder."""
        start = functional.pad(state.start.unsqueeze(1), (0, 0, 0, embedded.shape[1] - 1))
        outputs = self.dropout(self.positions(self.entry(embedded * self.scale) + start))
        weights = None
        for index, (layer, kept, part) in enumerate(zip(self.layers, state.layers, prepared, strict=True), 1):
            outputs, weights = layer(outputs, kept, part, index == len(self.layers))
        return self.norm(outputs), weights


class TransformerDecoderLayer(nn.Module):
    """One layer of the decoder.

    Args:
        size: width of an entry.
        num_heads: heads of the attention to the target's own tokens.
        inner_size: width inside the feed-forward net.
        dropout: see TransformerDecoder.
        pre_norm: see TransformerDecoder.
        rotary: whether the attention to the target's own tokens turns queries and keys by their positions.
        attention: looks at the source.
    """

    def __init__(
        self,
        *,
        size: int,
        num_heads: int,
        inner_size: int,
        dropout: float,
        pre_norm: bool,
        rotary: bool,
        attention: Attention,
    ) -> None:
        super().__init__()
        self.self_attention = SelfAttention(size=size, num_heads=num_heads, rotary=rotary)
        self.self_residual = Residual(size=size, dropout=dropout, pre_norm=pre_norm)
        self.attention = attention
        if attention.context_size:
            self.combination = nn.Linear(attention.context_size, size)
            self.residual = Residual(size=size, dropout=dropout, pre_norm=pre_norm)
            if attention.constant and pre_norm:
                self.residual.norm = nn.Identity()  # no query is compared with anything
        self.feed_forward = FeedForward(size=size, inner_size=inner_size, dropout=dropout, pre_norm=pre_norm)

    def initial_state(self, like: Tensor, prepared: Prepared) -> LayerState:
        """Give the state before the first step, of the rows and type of `like` (rows, ...)."""
        return LayerState(self.self_attention.empty_cache(like), self.attention.initial_state(prepared))

    def step(
        self, inputs: Tensor, state: LayerState, prepared: Prepared, shown: bool
    ) -> tuple[Tensor, LayerState, Tensor | None]:
        """Make one step.

        Args:
            inputs: (rows, 1, size).
            state: of this layer.
            prepared: what the attention prepared.
            shown: whether the attention's weights are wanted.

        Returns:
            The output (rows, 1, size), the next state, and the weights (rows, source_len) or None.
        """
        found, cache = self.self_attention.step(self.self_residual.before(inputs), state.cache)
        outputs = self.self_residual.after(inputs, found)
        weights, attention = None, state.attention
        if self.attention.context_size:
            query = self.residual.before(outputs).squeeze(1)
            if shown or self.attention.stateful:
                context, weights, attention = self.attention.step(query, prepared, attention)
            else:
                sentences = num_sentences(prepared)
                width = query.shape[0] // sentences if sentences else 1
                context = self.attention.contexts(query.view(sentences, width, query.shape[1]), prepared).flatten(0, 1)
            outputs = self.residual.after(outputs, self.combination(context.unsqueeze(1)))
        return self.feed_forward(outputs), LayerState(cache, attention), weights if shown else None

    def forward(
        self, inputs: Tensor, state: LayerState, prepared: Prepared, shown: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Make all steps: inputs (batch, target_len, size) to outputs and weights; see `step`."""
        outputs = self.self_residual.after(inputs, self.self_attention(self.self_residual.before(inputs), None))
        weights = None
        if self.attention.context_size:
            queries = self.residual.before(outputs)
            if shown or self.attention.stateful:
                contexts, weights = attend_all(self.attention, queries, state.attention, prepared)
            else:
                contexts = self.attention.contexts(queries, prepared)
            outputs = self.residual.after(outputs, self.combination(contexts))
        return self.feed_forward(outputs), weights if shown else None
