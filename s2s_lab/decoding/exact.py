"""Exact search: depth-first, with the best output so far as the bound."""

import torch
from torch import Tensor

from s2s_lab.decoding.tree_search import TreeSearch


class ExactSearch(TreeSearch):
    """Opens the longest prefix that waits, the most probable one among those of its length; see `TreeSearch`.

    Its memory is that of one path: the states of the prefixes opened last at each length, and their children that beat
    the bound.

    Paper: Stahlberg, Byrne 2019, arXiv 1908.10090. Deviation: the first bound is a beam search's (there the
    paper's experiments take one too), several prefixes of a length may be opened at once, and outputs cut at the length
    limit compete.
    """

    name = "exact"

    def next_length(self, heads: Tensor) -> Tensor:
        """Chooses the longest prefixes; see the base class."""
        lengths = torch.arange(heads.size(1), device=heads.device)
        return torch.where(heads > -torch.inf, lengths, 0).amax(1)
