"""How a command line that searches is told from one that sweeps."""

from collections.abc import Sequence

from hydra.core.override_parser.types import Override

SEARCHES = ("optuna", "wandb")
"""Options of hydra/sweeper that draw their jobs one after the other."""


def chooses_search(overrides: Sequence[Override]) -> bool:
    """Whether the words choose a sweeper that draws its jobs, so that they do not name every job themselves."""
    chosen = [override.value() for override in overrides if override.key_or_group == "hydra/sweeper"]
    return bool(chosen) and chosen[-1] in SEARCHES


def fixed_words(overrides: Sequence[Override]) -> list[str]:
    """The words of every job of a search: those with one value; Hydra's own are among them."""
    return [str(override.input_line) for override in overrides if not override.is_sweep_override()]
