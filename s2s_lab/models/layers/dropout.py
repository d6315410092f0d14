"""Dropout whose noise is cheap on a CPU."""

import torch
from torch import Tensor, nn

STEPS = 1 << 16
"""Values that the noise of an entry takes."""


class Dropout(nn.Dropout):
    """Zeroes each entry with probability p and multiplies the others by 1 / (1 - p), in training.

    On a CPU torch draws for each entry what takes several times as long as the products around it; here one draw of
    64 bits serves four entries. So p is taken to the nearest of 65,536 steps, in the noise and in the factor alike.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop entries of input (...)."""
        below = round(self.p * STEPS)
        if not self.training or input.device.type != "cpu" or below in (0, STEPS):
            return super().forward(input)
        count = input.numel()
        drawn = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)  # type: ignore[arg-type]
        noise = drawn.view(torch.int16)[:count].view(input.shape)
        kept = (noise >= below - STEPS // 2).to(input.dtype)
        return input * kept.mul_(STEPS / (STEPS - below))
