"""Best-first search: the most probable prefix of any length comes next."""

from dataclasses import dataclass

from torch import Tensor

from s2s_lab.decoding.checks import whole_number
from s2s_lab.decoding.tree_search import TreeSearch


@dataclass(kw_only=True, eq=False)
class BestFirstSearch(TreeSearch):
    """Opens the most probable prefix that waits, the longer one in a tie; see `TreeSearch`.

    As no prefix is more probable than what it grew from, an output that beats all that wait is proved the best; no
    search that proves as much opens fewer prefixes. Its memory grows with them: the state of every opened prefix whose
    children wait.

    With a `width`, at most so many prefixes of each length are opened, which are those that a beam of that size keeps:
    what is found is at least as probable as what such a beam search without a length penalty finds, in fewer steps, and
    more than that where an end that the beam's candidates crowd out is better. `optimal` then holds only where what was
    shut out is no more probable either.

    Paper: Meister, Vieira, Cotterell 2020, arXiv 2007.03909 (best-first beam search, with width; A* without a
    heuristic, without width). Deviation: every end of an opened prefix is taken, so it does not count for the width.

    Attributes:
        width: prefixes of a length that are opened, at least 1; None for all.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "best_first"

    width: int | None = None

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        if self.width is not None:
            whole_number("width", self.width, 1)

    def options(self) -> tuple[str, ...]:
        """Returns those of every tree search and the width."""
        return (*super().options(), f"width:{'none' if self.width is None else self.width}")

    def openable(self, opened: Tensor) -> Tensor:
        """Says how many more prefixes of each length the width admits; see the base class."""
        return super().openable(opened) if self.width is None else self.width - opened

    def next_length(self, heads: Tensor) -> Tensor:
        """Chooses the length of the best prefix; see the base class."""
        return heads.size(1) - 1 - heads.flip(1).argmax(1)
