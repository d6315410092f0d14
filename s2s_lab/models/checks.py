"""Checks of sizes and probabilities that a user may have set, each failing with one clear line."""

import math

from s2s_lab.faults import RequestError

MOST_LAYERS = 1000


def require_positive(name: str, value: int) -> None:
    """Raise a RequestError unless `value` is a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RequestError(f"{name} is {value!r}, expected a whole number above 0")


def require_layers(name: str, value: int) -> None:
    """Raise a RequestError unless `value` is a number of layers that can be built: from 1 to MOST_LAYERS."""
    require_positive(name, value)
    if value > MOST_LAYERS:
        raise RequestError(f"{name} is {value}, expected at most {MOST_LAYERS}")


def require_dropout(name: str, value: float) -> None:
    """Raise a RequestError unless `value` is a probability below one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < 1.0:
        raise RequestError(f"{name} is {value!r}, expected a probability in [0, 1)")


def require_stack(part: str, *, hidden_size: int, num_layers: int, dropout: float) -> None:
    """Raise a RequestError unless these describe layers that can be built; `part` is where the three keys are."""
    require_positive(f"{part}.hidden_size", hidden_size)
    require_layers(f"{part}.num_layers", num_layers)
    require_dropout(f"{part}.dropout", dropout)


def require_above_zero(name: str, value: float, otherwise: str = "") -> None:
    """Raise a RequestError unless `value` is a finite number above zero; `otherwise` names what else may be given."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise RequestError(f"{name} is {value!r}, expected a number above 0{otherwise}")


def require_not_negative(name: str, value: float) -> None:
    """Raise a RequestError unless `value` is a finite number of at least zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise RequestError(f"{name} is {value!r}, expected a number of at least 0")


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a RequestError unless `value` is one of `choices`."""
    if value not in choices:
        raise RequestError(f"{name} is {value!r}, expected one of {', '.join(choices)}")
