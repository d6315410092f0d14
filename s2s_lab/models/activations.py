"""Activations in the form that a processor computes fastest."""

import torch
from torch import Tensor


def tanh_(values: Tensor) -> Tensor:
    """Replace values by their tanh; not for autograd.

    As 2 sigmoid(2 x) - 1 on a CPU, whose sigmoid is several times as fast as its tanh, where the type is wide enough
    for the difference to keep its digits.
    """
    if values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64):
        return values.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0)
    return values.tanh_()
