"""The bag of embeddings: every token for itself."""

from torch import Tensor, nn

from s2s_lab.models.checks import require_stack
from s2s_lab.models.encoders.base import Encoder, EncoderOutput, real_positions, without_state
from s2s_lab.models.layers.positions import Positions, require_positions


class BagEncoder(Encoder):
    """A memory entry is its own token's vector after layers of tanh(W x + b): nothing tells of the other tokens.

    Final state and summary are the mean of the memory. Without positions the order of the source changes nothing.

    Paper: Iyyer et al. 2015, Deep Unordered Composition Rivals Syntactic Methods for Text Classification.
    Deviation: the layers come before the mean, so that the memory has one entry for each token.

    Args:
        input_size: width of an embedded token.
        hidden_size: width of a memory entry.
        num_layers: number of layers.
        dropout: probability of zeroing an input of a layer.
        positions: "none", "sinusoidal" or "learned".
        max_length: most tokens of a source where positions are learned.

    Raises:
        RequestError: the positions are none of these.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        positions: str = "none",
        max_length: int = 1024,
    ) -> None:
        super().__init__()
        require_stack("encoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        require_positions("encoder", positions)
        self.positions = Positions(kind=positions, size=input_size, max_length=max_length, part="encoder")
        self.dropout = nn.Dropout(dropout)
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.Linear(width, hidden_size) for width in widths)
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        self.state_sizes = ((hidden_size,),)

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources; see Encoder."""
        outputs = self.positions(embedded)
        for layer in self.layers:
            outputs = layer(self.dropout(outputs)).tanh()
        return without_state(outputs, real_positions(lengths, embedded.shape[1]))
