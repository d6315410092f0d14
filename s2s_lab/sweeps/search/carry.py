"""What stays of a search whose definition was changed: the trials that the new one could have drawn too."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from s2s_lab.sweeps.search.dimensions import Choice, Dimension, Value
from s2s_lab.sweeps.search.space import Space
from s2s_lab.sweeps.search.storage import COUNTED, Definition

if TYPE_CHECKING:
    from optuna.study import Study


def carry(earlier: "Study", study: "Study", *, definition: Definition, space: Space) -> None:
    """Takes the trials that fit into a new study: those that are done as they are, interrupted ones to be run.

    Values are comparable only where fixed words and objectives are as before; elsewhere nothing is taken.

    Args:
        earlier: the study before.
        study: the new one.
        definition: of the new one.
        space: of the new one.
    """
    from optuna.trial import create_trial

    before = earlier.user_attrs["definition"]
    if any(before.get(part) != definition.get(part) for part in ("words", "objectives")):
        return
    for trial in earlier.get_trials(deepcopy=False):
        params = trial.params or trial.system_attrs.get("fixed_params") or {}
        dimensions = _dimensions(space, params)
        if dimensions is None:
            continue
        facts = {key: value for key, value in trial.user_attrs.items() if key not in ("requeued_of", "same_as")}
        if trial.state.is_finished() and facts.get("outcome") in COUNTED:
            carried = create_trial(
                state=trial.state,
                values=trial.values,
                params=params,
                distributions={dimension.name: dimension.values.distribution() for dimension in dimensions},
                user_attrs=facts,
                intermediate_values=trial.intermediate_values,
            )
            study.add_trial(carried)
        elif not trial.state.is_finished() and params:
            study.enqueue_trial(params)


def _dimensions(space: Space, params: Mapping[str, Any]) -> list[Dimension] | None:
    """The dimensions that a space draws for these values; None if it cannot draw them."""
    asked = []

    def suggest(dimension: Dimension) -> Value:
        asked.append(dimension)
        value = params[dimension.name]
        if not _fits(dimension, value):
            raise KeyError(dimension.name)
        return value

    try:
        space.draw(suggest)
    except KeyError:
        return None
    return asked if len(asked) == len(params) else None


def _fits(dimension: Dimension, value: Any) -> bool:
    values = dimension.values
    if isinstance(values, Choice):
        return value in values.texts
    if not isinstance(value, int | float) or not values.low <= value <= values.high:
        return False
    options = values.options()
    return options is None or values.text(value) in {values.text(option) for option in options}
