"""The attention of a sequence over itself, in several heads, whole or step by step with cached keys and values."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.checks import require_positive
from s2s_lab.models.layers.positions import rotated
from s2s_lab.models.layers.scaled_dot_product import scaled_dot_product


class Cache(NamedTuple):
    """The keys and values of the steps so far.

    Attributes:
        keys: (rows, heads, steps, head_size).
        values: (rows, heads, steps, head_size).
    """

    keys: Tensor
    values: Tensor


class SelfAttention(nn.Module):
    """Each head h: softmax(Q_h K_h^T / sqrt(head_size)) V_h; all heads side by side, times W^O.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2. Deviation: biases.

    Args:
        size: width of an entry.
        num_heads: number of heads, which share the width.
        rotary: whether to turn queries and keys by their positions.
    """

    def __init__(self, *, size: int, num_heads: int, rotary: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_size = size // num_heads
        self.rotary = rotary
        self.projection = nn.Linear(size, 3 * size)
        self.combination = nn.Linear(size, size)

    def forward(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        """Attend from every position.

        Args:
            inputs: (batch, length, size).
            mask: (batch, length) bool, True where an entry may be seen; None: each sees itself and those before it.

        Returns:
            (batch, length, size).
        """
        query, key, value = self.split(inputs, 0)
        found = scaled_dot_product(query, key, value, mask)
        return self.combination(found.transpose(1, 2).flatten(2))

    def step(self, input: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Attend from the next position.

        Args:
            input: (rows, 1, size).
            cache: of the positions before.

        Returns:
            (rows, 1, size), and the cache with this position.
        """
        steps = cache.keys.shape[2]
        query, key, value = self.split(input, steps)
        if steps:
            cache = Cache(torch.cat((cache.keys, key), dim=2), torch.cat((cache.values, value), dim=2))
        else:
            cache = Cache(key, value)  # in the products' type, whatever that of the empty cache is
        found = functional.scaled_dot_product_attention(query, cache.keys, cache.values)
        return self.combination(found.transpose(1, 2).flatten(2)), cache

    def split(self, inputs: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """Give queries, keys and values, each (rows, heads, length, head_size), of inputs (rows, length, size)."""
        heads = self.projection(inputs).unflatten(2, (3, self.num_heads, self.head_size))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(dim=0)
        if self.rotary:
            query, key = rotated(query, first), rotated(key, first)
        return query, key, value

    def empty_cache(self, like: Tensor) -> Cache:
        """Give the cache before the first step, of the rows and type of `like` (rows, ...)."""
        return Cache(*(like.new_empty(like.shape[0], self.num_heads, 0, self.head_size) for _ in range(2)))


def require_heads(part: str, size: int, num_heads: int) -> None:
    """Raise a RequestError unless `num_heads` share the width `size` evenly; `part` is where the two keys are."""
    require_positive(f"{part}.num_heads", num_heads)
    if size % num_heads:
        raise RequestError(f"{part}.num_heads is {num_heads}, expected a divisor of {part}.hidden_size, {size}")
