"""What attentions have in common whose energies are products of queries and keys."""

import torch
from torch import Tensor

from s2s_lab.models.attentions.base import Attention


class ProductAttention(Attention):
    """energy(q, m) = q . k, k being the key that a variant makes of m."""

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give q . k; see Attention."""
        return torch.bmm(query.to(keys.dtype), keys.transpose(1, 2))
