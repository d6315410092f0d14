"""Linear maps with weight normalisation, and the gated convolution made of one."""

import torch
from torch import Tensor, nn
from torch.nn import functional

HALF_VARIANCE = 0.5**0.5
"""What a sum of two vectors of equal variance is multiplied by, so that it has their variance."""


class NormalisedLinear(nn.Module):
    """W x + b, each row of W being g v / |v|.

    Paper: Salimans and Kingma 2016, arXiv 1602.07868, equation 2.

    Args:
        input_size: width of x.
        output_size: width of the result.
    """

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.empty(output_size, input_size))
        self.gain = nn.Parameter(torch.empty(output_size, 1))
        self.bias = nn.Parameter(torch.zeros(output_size))
        nn.init.xavier_uniform_(self.direction)
        self.reset_gain()

    def reset_gain(self) -> None:
        """Make each g its |v|, so that W is v as it was drawn; called after the general initialization."""
        with torch.no_grad():
            self.gain.copy_(self.direction.norm(dim=1, keepdim=True))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (..., input_size) to (..., output_size)."""
        scales = self.gain.squeeze(1) / torch.linalg.vector_norm(self.direction, dim=1)
        return functional.linear(inputs, self.direction) * scales + self.bias


class GatedConvolution(nn.Module):
    """a * sigmoid(b), where a and b are two convolutions of one window.

    Paper: Gehring et al. 2017, arXiv 1705.03122, section 3.2; Dauphin et al. 2017, arXiv 1612.08083, equation 1.

    Args:
        size: width of an entry, before and after.
        kernel_size: entries in a window.
    """

    def __init__(self, *, size: int, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.projection = NormalisedLinear(kernel_size * size, 2 * size)

    def forward(self, padded: Tensor) -> Tensor:
        """Convolve every window: padded (batch, length + kernel_size - 1, size) to (batch, length, size)."""
        windows = padded.unfold(1, self.kernel_size, 1).transpose(2, 3)  # (batch, length, kernel_size, size)
        return functional.glu(self.projection(windows.flatten(2)), dim=2)

    def step(self, window: Tensor) -> Tensor:
        """Convolve one window: (rows, kernel_size, size) to (rows, size)."""
        return functional.glu(self.projection(window.flatten(1)), dim=1)
