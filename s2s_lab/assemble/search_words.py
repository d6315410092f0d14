"""How a command line that searches is told from one that sweeps, and what of hydra/sweeper may be set."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from s2s_lab.faults import RequestError

SWEEPERS = {
    "hydra_plugins.s2s_lab.OptunaSearch": "optuna",
    "hydra_plugins.s2s_lab.WandbSweep": "wandb",
}
"""The sweepers that draw their jobs one after the other, with the option of hydra/sweeper that chooses each."""


def chooses_search(overrides: Sequence[Override]) -> bool:
    """Whether the words choose a sweeper that draws its jobs, so that they do not name every job themselves."""
    chosen = [override.value() for override in overrides if override.key_or_group == "hydra/sweeper"]
    return bool(chosen) and chosen[-1] in SWEEPERS.values()


def fixed_words(overrides: Sequence[Override]) -> list[str]:
    """The words of every job of a search: those with one value; Hydra's own are among them."""
    return [str(override.input_line) for override in overrides if not override.is_sweep_override()]


def check_sweeper(node: Any) -> bool:
    """Refuses settings of a search that could run code, wherever they come from.

    Args:
        node: hydra.sweeper of a composed configuration, as plain unresolved containers.

    Returns:
        Whether it is a search; anything else is for the caller to judge.

    Raises:
        RequestError: naming the first key that Hydra would build something from.
    """
    if not isinstance(node, Mapping) or node.get("_target_") not in SWEEPERS:
        return False
    _check_plain({key: value for key, value in node.items() if key != "_target_"}, "hydra.sweeper")
    return True


def _check_plain(value: Any, place: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if str(key).startswith("_"):
                raise RequestError(f"{place}.{key} cannot be set: it could run code")
            _check_plain(item, f"{place}.{key}")
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, place)
    elif isinstance(value, str) and "${" in value:  # it could lead to a section that builds something
        raise RequestError(f"{place}={value}: an interpolation; the value itself is expected")
