"""Scaled dot-product attention by whichever of torch's ways is fast on the device at hand."""

import torch
from torch import Tensor
from torch.nn import functional

LONGEST_OF_PRODUCTS = 512
"""Keys up to which all energies may exist at once; beyond them torch's fused kernel spares the memory."""


def scaled_dot_product(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Give softmax(Q K^T / sqrt(head_size)) V for each head.

    On a CPU torch's fused kernel multiplies head by head, and its backward pass takes about ten times as long as
    products of all heads at once where sequences are as short as sentences.

    Args:
        query: (batch, heads, queries, head_size).
        key: (batch, heads, keys, head_size).
        value: (batch, heads, keys, head_size).
        mask: (batch, keys) bool, True where a key may be seen; None: each query sees the keys up to its own place.

    Returns:
        (batch, heads, queries, head_size).
    """
    if query.device.type != "cpu" or key.shape[2] > LONGEST_OF_PRODUCTS:
        seen = None if mask is None else mask[:, None, None, :]
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=mask is None)
    sizes = (*query.shape[:3], key.shape[2])
    if mask is None:
        bias = query.new_full(sizes[2:], float("-inf")).triu_(1)
    else:
        bias = query.new_zeros(mask.shape).masked_fill_(~mask, float("-inf"))[:, None, None, :]
    bias = bias.expand(sizes).flatten(0, 1)
    scale = query.shape[3] ** -0.5
    energies = torch.baddbmm(bias, query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), alpha=scale)
    return torch.bmm(energies.softmax(dim=2), value.flatten(0, 1)).unflatten(0, sizes[:2])
