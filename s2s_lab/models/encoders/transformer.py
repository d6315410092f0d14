"""The encoder of the Transformer."""

import math

from torch import Tensor, nn

from s2s_lab.models.checks import require_stack
from s2s_lab.models.encoders.base import Encoder, EncoderOutput, real_positions, without_state
from s2s_lab.models.layers.dropout import Dropout
from s2s_lab.models.layers.positions import Positions, require_positions
from s2s_lab.models.layers.self_attention import SelfAttention, require_heads
from s2s_lab.models.layers.sublayer import FeedForward, Residual, feedforward_width


class TransformerEncoder(Encoder):
    """Layers in which every position looks at all others, then passes a feed-forward net.

    Token vectors are multiplied by the root of their width, projected where they are not as wide as the layers, and
    told their positions. Final state and summary are the memory's mean.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, sections 3.1, 3.4 and 3.5; `pre_norm`: Xiong et al. 2020, arXiv
    2002.04745, with a last normalisation above the layers; `positions` "rotary": Su et al. 2021, arXiv 2104.09864.
    Deviation: biases in the attention.

    Args:
        input_size: width of an embedded token.
        hidden_size: width of a memory entry.
        num_layers: number of layers.
        num_heads: heads of the attention.
        feedforward_size: width inside the feed-forward net; None means 4 x `hidden_size`.
        dropout: probability of zeroing an entry of the lowest layer's input and of each sublayer's output.
        pre_norm: whether normalisation comes before each sublayer instead of after it.
        positions: "sinusoidal", "learned", "rotary" or "none".
        max_length: most tokens of a source where positions are learned.

    Raises:
        RequestError: `num_heads` does not divide `hidden_size`, or the positions are none of these.
    """

    def __init__(
        self,
        *,
        input_size: int,
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
        require_stack("encoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        require_heads("encoder", hidden_size, num_heads)
        require_positions("encoder", positions, hidden_size // num_heads)
        inner_size = feedforward_width("encoder", hidden_size, feedforward_size)
        self.scale = math.sqrt(input_size)
        self.entry = nn.Linear(input_size, hidden_size) if input_size != hidden_size else nn.Identity()
        self.positions = Positions(kind=positions, size=hidden_size, max_length=max_length, part="encoder")
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(
                size=hidden_size,
                num_heads=num_heads,
                inner_size=inner_size,
                dropout=dropout,
                pre_norm=pre_norm,
                rotary=positions == "rotary",
            )
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size) if pre_norm else nn.Identity()
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        self.state_sizes = ((hidden_size,),)

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources; see Encoder."""
        mask = real_positions(lengths, embedded.shape[1])
        outputs = self.dropout(self.positions(self.entry(embedded * self.scale)))
        for layer in self.layers:
            outputs = layer(outputs, mask)
        return without_state(self.norm(outputs), mask)


class TransformerEncoderLayer(nn.Module):
    """One layer of the encoder.

    Args:
        size: width of an entry.
        num_heads: heads of the attention.
        inner_size: width inside the feed-forward net.
        dropout: see TransformerEncoder.
        pre_norm: see TransformerEncoder.
        rotary: whether the attention turns queries and keys by their positions.
    """

    def __init__(
        self, *, size: int, num_heads: int, inner_size: int, dropout: float, pre_norm: bool, rotary: bool
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(size=size, num_heads=num_heads, rotary=rotary)
        self.residual = Residual(size=size, dropout=dropout, pre_norm=pre_norm)
        self.feed_forward = FeedForward(size=size, inner_size=inner_size, dropout=dropout, pre_norm=pre_norm)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Give the output of inputs (batch, source_len, size), seen where mask (batch, source_len) is True."""
        outputs = self.residual.after(inputs, self.attention(self.residual.before(inputs), mask))
        return self.feed_forward(outputs)
