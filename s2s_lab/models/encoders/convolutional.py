"""The convolutional encoder."""

from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.checks import require_positive, require_stack
from s2s_lab.models.encoders.base import Encoder, EncoderOutput, real_positions, without_state
from s2s_lab.models.layers.convolution import HALF_VARIANCE, GatedConvolution, NormalisedLinear
from s2s_lab.models.layers.dropout import Dropout
from s2s_lab.models.layers.positions import Positions, require_positions


class ConvolutionalEncoder(Encoder):
    """Gated convolutions on top of each other, each with a way round it; sums are scaled by the root of one half.

    With e the projected token and position vectors and z the projected output of the top layer, the memory is
    sqrt(0.5) (z + e). Final state and summary are its mean.

    Paper: Gehring et al. 2017, arXiv 1705.03122, sections 3.1 to 3.5, weight normalisation on every linear map and
    convolution within. Deviations: the paper compares queries with z and sums z + e unscaled, here the memory is both,
    scaled as in its authors' program; it divides the gradient of the encoder by the number of attentions; all layers
    are equally wide.

    Args:
        input_size: width of an embedded token.
        hidden_size: width of the layers and of a memory entry.
        num_layers: number of layers.
        kernel_size: entries in a window, the middle one its own; of an even number the left one of the two.
        dropout: probability of zeroing an entry of the token vectors and of the input of a layer.
        positions: "learned", "sinusoidal" or "none".
        max_length: most tokens of a source where positions are learned.

    Raises:
        RequestError: the positions are none of these.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        num_layers: int = 4,
        kernel_size: int = 3,
        dropout: float = 0.0,
        positions: str = "learned",
        max_length: int = 1024,
    ) -> None:
        super().__init__()
        require_stack("encoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        require_positive("encoder.kernel_size", kernel_size)
        require_positions("encoder", positions)
        self.positions = Positions(kind=positions, size=input_size, max_length=max_length, part="encoder")
        self.dropout = Dropout(dropout)
        self.entry = NormalisedLinear(input_size, hidden_size)
        self.layers = nn.ModuleList(
            GatedConvolution(size=hidden_size, kernel_size=kernel_size) for _ in range(num_layers)
        )
        self.exit = NormalisedLinear(hidden_size, hidden_size)
        self.around = (kernel_size - 1) // 2, kernel_size // 2
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        self.state_sizes = ((hidden_size,),)

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources; see Encoder."""
        mask = real_positions(lengths, embedded.shape[1])
        entered = self.entry(self.dropout(self.positions(embedded)))
        outputs = entered
        for layer in self.layers:
            inputs = self.dropout(outputs).masked_fill(~mask.unsqueeze(2), 0.0)
            outputs = (outputs + layer(functional.pad(inputs, (0, 0, *self.around)))) * HALF_VARIANCE
        return without_state((self.exit(outputs) + entered) * HALF_VARIANCE, mask)
