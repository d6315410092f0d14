"""What tells a vector its position: sinusoids, a learned table, or rotations of queries and keys."""

import functools

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.checks import require_choice, require_positive

BASE = 10_000.0
SHORTEST_TABLE = 64


class Positions(nn.Module):
    """Adds to each vector what tells its position.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.5 ("sinusoidal"); Gehring et al. 2017, arXiv 1705.03122,
    section 3.1 ("learned").

    Args:
        kind: "sinusoidal", "learned" (a table of `max_length` vectors), or anything else: nothing is added.
        size: width of a vector.
        max_length: vectors in a learned table.
        part: "encoder" or "decoder", for messages.
    """

    def __init__(self, *, kind: str, size: int, max_length: int, part: str) -> None:
        super().__init__()
        require_positive(f"{part}.max_length", max_length)
        self.kind = kind
        self.part = part
        self.max_length = max_length
        self.table = nn.Parameter(torch.randn(max_length, size) * size**-0.5) if kind == "learned" else None

    def forward(self, vectors: Tensor, first: int = 0) -> Tensor:
        """Add the positions.

        Args:
            vectors: (rows, length, size).
            first: position of the first of them, from 0.

        Returns:
            (rows, length, size).

        Raises:
            RequestError: a position lies beyond a learned table.
        """
        length = vectors.shape[1]
        if self.kind == "sinusoidal":
            return vectors + sinusoids(first, length, vectors.shape[2], vectors)
        if self.table is None:
            return vectors
        if first + length > self.max_length:
            raise RequestError(
                f"a sequence is {first + length} tokens long, but {self.part}.max_length is {self.max_length}: the "
                f"longest whose positions are learned; make it larger, or take {self.part}.positions=sinusoidal"
            )
        return vectors + self.table[first : first + length]


def require_positions(part: str, kind: str, head_size: int | None = None) -> None:
    """Raise a RequestError unless `kind` names a kind of positions that the part can use.

    Args:
        part: "encoder" or "decoder".
        kind: the value of its key `positions`.
        head_size: width of a head of its attention over itself; None: there is none, and so nothing to rotate.
    """
    kinds = ("sinusoidal", "learned", "none") if head_size is None else ("sinusoidal", "learned", "rotary", "none")
    require_choice(f"{part}.positions", kind, kinds)
    if kind == "rotary" and head_size is not None and head_size % 2:
        raise RequestError(
            f"{part}.positions=rotary turns pairs, but {part}.hidden_size / {part}.num_heads is {head_size}, expected "
            "an even number"
        )


def sinusoids(first: int, length: int, size: int, like: Tensor) -> Tensor:
    """Give (length, size): sin(p / 10000^(i / size)) at even places i of position p, its cosine at the next.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.5.

    Args:
        first: the first position.
        length: number of positions.
        size: width of a vector.
        like: a tensor of the device and type wanted.
    """
    sines, cosines = _angles(_rounded(first + length), size, like.dtype, like.device)
    table = torch.stack((sines[first : first + length], cosines[first : first + length]), dim=2)
    return table.flatten(1)[:, :size]


def rotated(heads: Tensor, first: int = 0) -> Tensor:
    """Turn each pair of neighbouring entries by an angle in proportion to the position.

    The product of a query and a key turned so depends on the distance between them alone.

    Paper: Su et al. 2021, arXiv 2104.09864, equation 34.

    Args:
        heads: (rows, heads, length, head_size), head_size even.
        first: position of the first, from 0.
    """
    length = heads.shape[2]
    sines, cosines = _angles(_rounded(first + length), heads.shape[3], heads.dtype, heads.device)
    sines, cosines = sines[first : first + length], cosines[first : first + length]
    even, odd = heads[..., 0::2], heads[..., 1::2]
    return torch.stack((even * cosines - odd * sines, even * sines + odd * cosines), dim=4).flatten(3)


def _rounded(length: int) -> int:
    """The next power of two, so that few tables are made."""
    return max(SHORTEST_TABLE, 1 << (length - 1).bit_length())


@functools.lru_cache(maxsize=32)
def _angles(length: int, size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Sines and cosines (length, pairs) of each position's angle for each pair of entries, made in float64."""
    with torch.inference_mode(False), torch.no_grad():
        frequencies = BASE ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
        angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
        return angles.sin().to(device, dtype), angles.cos().to(device, dtype)
