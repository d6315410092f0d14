"""The symbols whose surprise is nearest to the expected one."""

import torch
from torch import Tensor

from s2s_lab.decoding.checks import positive
from s2s_lab.decoding.restrictions.base import Restriction, entropy


class Typical(Restriction):
    """Keeps the fewest symbols that reach a probability, those first whose -log p is nearest to the entropy.

    A tie goes to the lower id. The most probable symbol may be left out.

    Paper: Meister, Pimentel, Wiher, Cotterell 2022, arXiv 2202.00666: the set that minimises the sum of
    |H + log p| among those of probability at least tau. Deviation: as in the authors' code the nearest symbols are
    added until tau is reached.

    Args:
        mass: the probability to reach (tau in the paper), above 0 and at most 1.

    Raises:
        RequestError: mass is out of its range.
    """

    def __init__(self, *, mass: float = 0.95) -> None:
        self.mass = positive("mass", mass, 1, place="decoding.restriction")

    def signature(self) -> str:
        """Returns name and mass."""
        return f"typical:{self.mass:g}"

    def keep(self, log_probs: Tensor) -> Tensor:
        """Keeps the nearest symbols, each before which the mass is not reached; see the base class."""
        order = (log_probs + entropy(log_probs)).abs().sort(dim=-1, stable=True).indices
        probabilities = log_probs.gather(1, order).double().exp()
        before = probabilities.cumsum(-1) - probabilities
        before[:, 0] = 0.0
        return torch.zeros_like(log_probs, dtype=torch.bool).scatter_(1, order, before < self.mass)
