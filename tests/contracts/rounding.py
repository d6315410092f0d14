"""How far results move when every parameter moves by the last digit of a bfloat16."""

import copy
from collections.abc import Callable

import torch
from torch import nn

LAST_DIGIT = 2.0**-8
MOST_SPREADS = 3.0
"""bfloat16 rounds parameters and whatever is computed from them, each time by at most half its last digit. What a whole
last digit in every parameter changes is of the size of all this together, however badly a network is conditioned."""


def spread(module: nn.Module, run: Callable[[nn.Module], torch.Tensor], draws: int = 4) -> torch.Tensor:
    """Give the largest change of what `run` gives, over draws of the signs with which the parameters move."""
    with torch.no_grad():
        exact, largest = run(module), torch.tensor(0.0)
        for draw in range(draws):
            generator, moved = torch.Generator().manual_seed(draw), copy.deepcopy(module)
            for parameter in moved.parameters():
                signs = 2.0 * torch.randint(0, 2, parameter.shape, generator=generator) - 1.0
                parameter.mul_(1.0 + LAST_DIGIT * signs)
            largest = torch.maximum(largest, (run(moved) - exact).abs().max())
        return largest
