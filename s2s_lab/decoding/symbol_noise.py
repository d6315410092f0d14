"""Noise of the symbols themselves, whatever numbers they have: the same over a vocabulary and over a list of it."""

import copy
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from s2s_lab.decoding import noise


class SymbolNoise:
    """What a strategy is that perturbs every symbol of a step by a number of its own; stands before its other bases."""

    _symbols: ClassVar[Tensor | None] = None

    def among(self, ids: Sequence[int]) -> Self:
        """Gives the strategy for a step whose symbols are the places of a list; see `DecodingStrategy`."""
        own = copy.copy(self)
        own._symbols = torch.tensor(ids, dtype=torch.int64)  # pyright: ignore[reportAttributeAccessIssue]
        return own

    def symbols(self, places: Tensor) -> Tensor:
        """Gives the symbols that places of a step's scores stand for, int64, in the shape of `places`."""
        return places if self._symbols is None else self._symbols.to(places.device)[places]

    def perturbation(self, keys: Tensor, vocab: int) -> Tensor:
        """Draws a Gumbel number for each symbol under each key.

        Args:
            keys: any shape, int64.
            vocab: columns of the step's scores.

        Returns:
            (..., vocab) float64.
        """
        return noise.gumbel(keys, self.symbols(torch.arange(vocab, device=keys.device)))
