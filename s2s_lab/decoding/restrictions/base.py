"""The contract of a restriction: from the distribution of the next symbol to the symbols that may be drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Restriction(ABC):
    """Leaves out symbols before one is drawn; those that stay keep their ratios, and at least one always stays."""

    @abstractmethod
    def signature(self) -> str:
        """Returns the name and every option that changes the output, without spaces and bars."""

    @abstractmethod
    def keep(self, log_probs: Tensor) -> Tensor:
        """Tells which symbols stay; where it names none, `restrict` keeps the most probable one.

        Args:
            log_probs: (rows, symbols), contiguous, normalised natural log, -inf where impossible.

        Returns:
            (rows, symbols) bool.
        """

    def restrict(self, log_probs: Tensor) -> Tensor:
        """Leaves out what does not stay.

        Args:
            log_probs: (rows, symbols), unnormalised is fine; -inf where impossible.

        Returns:
            (rows, symbols) normalised over all symbols that were possible before, -inf for those left out.
        """
        log_probs = torch.log_softmax(log_probs, -1)
        kept = self.keep(log_probs)
        best = torch.zeros_like(kept).scatter_(1, log_probs.argmax(-1, keepdim=True), True)
        return log_probs.masked_fill(~(kept | (best & ~kept.any(-1, keepdim=True))), -torch.inf)


def entropy(log_probs: Tensor) -> Tensor:
    """Gives the entropy of each row.

    Args:
        log_probs: (rows, symbols), normalised natural log, -inf where impossible.

    Returns:
        (rows, 1) in natural units.
    """
    return torch.special.entr(log_probs.exp()).sum(-1, keepdim=True)
