"""Greedy search: the most probable symbol at every step."""

from torch import Tensor

from s2s_lab.decoding.candidates import best_of_each_row
from s2s_lab.decoding.rowwise import RowwiseSearch


class GreedySearch(RowwiseSearch):
    """Takes the most probable symbol, the lower id in a tie, until eos or the limit; see `RowwiseSearch`."""

    name = "greedy"

    def options(self) -> tuple[str, ...]:
        """Returns nothing: greedy search has no option of its own."""
        return ()

    def choose(self, log_probs: Tensor, step: int, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Chooses the most probable symbol of each row; see the base class."""
        return best_of_each_row(log_probs)
