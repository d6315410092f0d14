"""The configuration of a W&B sweep from a space, and from what W&B suggests back to words."""

from collections.abc import Mapping, Sequence
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.dimensions import Choice, Dimension, Numbers, Value
from s2s_lab.sweeps.search.objectives import Objective
from s2s_lab.sweeps.search.space import Drawn, Space

METHODS = ("bayes", "random", "grid")


def sweep_configuration(
    space: Space,
    objective: Objective,
    *,
    method: str,
    trials: int,
    name: str,
    early_terminate: bool,
) -> dict[str, Any]:
    """What `wandb sweep` takes.

    Args:
        space: what is drawn; W&B knows no conditions, so that dimensions that only one choice has are drawn always.
        objective: what is wanted.
        method: bayes, random or grid.
        trials: runs in all.
        name: shown name.
        early_terminate: whether W&B ends bad runs by Hyperband, at their 2nd, 6th, 18th... validation.
    """
    configuration = {
        "name": name,
        "method": method,
        "metric": {"name": objective.name, "goal": objective.direction},
        "parameters": {dimension.name: parameter(dimension, method) for dimension in space.dimensions},
        "run_cap": trials,
        "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 3} if early_terminate else None,
    }
    return {key: value for key, value in configuration.items() if value is not None}


def parameter(dimension: Dimension, method: str = "bayes") -> dict[str, Any]:
    """One dimension as W&B writes it.

    Steps are W&B's multiples where the range begins at one of them, else they are listed, as for a grid.

    Raises:
        RequestError: if a grid would be infinite.
    """
    values = dimension.values
    if isinstance(values, Choice):
        return {"values": [typed(text) for text in values.texts]}
    if method == "grid" or (values.step is not None and not _is_multiple(values)):
        options = values.options()
        if options is None:
            raise RequestError(f"hydra.sweeper.method={method}: {dimension.name} has too many values to list")
        return {"values": [_number(values, option) for option in options]}
    bounds = {"min": values.low, "max": values.high}
    if values.log:
        return {"distribution": "q_log_uniform_values", **bounds, "q": 1} if values.whole else {
            "distribution": "log_uniform_values", **bounds
        }  # fmt: skip
    if values.step in (None, 1) and values.whole:
        return {"distribution": "int_uniform", **bounds}
    if values.step is not None:
        return {"distribution": "q_uniform", **bounds, "q": values.step}
    return {"distribution": "uniform", **bounds}


def drawn_from(space: Space, suggested: Mapping[str, Any]) -> Drawn:
    """The point of a space that W&B suggests.

    Args:
        space: that the sweep was made from.
        suggested: value by the name of its dimension.

    Raises:
        RequestError: if a value is missing, or is none that the space has.
    """

    def suggest(dimension: Dimension) -> Value:
        if dimension.name not in suggested:
            raise RequestError(f"W&B suggests no value of {dimension.name}: the sweep is of another search")
        value, values = suggested[dimension.name], dimension.values
        if isinstance(values, Choice):
            for text in values.texts:
                if typed(text) == value and isinstance(typed(text), bool) == isinstance(value, bool):
                    return text
        elif isinstance(value, int | float) and not isinstance(value, bool):
            slack = 1e-9 * (values.high - values.low)
            if values.low - slack <= value <= values.high + slack and not (values.whole and int(value) != value):
                return int(value) if values.whole else float(value)
        raise RequestError(f"W&B suggests {dimension.name}={value!r}, which is none of {values}")

    return space.draw(suggest)


def typed(text: str) -> str | int | float | bool:
    """An option as W&B shows it: numbers and truth values as what they are."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            if str(kind(text)) == text:
                return kind(text)
        except ValueError:
            continue
    return text


def _is_multiple(values: Numbers) -> bool:
    """Whether a range begins at a multiple of its step, where W&B's own steps lie."""
    assert values.step is not None
    ratio = values.low / values.step
    return abs(ratio - round(ratio)) < 1e-9


def _number(values: Numbers, option: Value) -> int | float:
    """A number without the noise of float arithmetic."""
    return int(option) if values.whole else float(values.text(option))


def agent_words(words: Sequence[str]) -> list[str]:
    """The command that registers the sweep and runs what W&B suggests."""
    return ["s2s-train", "-m", "hydra/sweeper=wandb", "hydra.sweeper.dry_run=false", *words]
