"""The settings of a search: hydra.sweeper of hydra/sweeper=optuna, checked."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from s2s_lab.faults import RequestError

SAMPLERS = ("tpe", "random", "cmaes", "nsgaii", "grid")
PRUNERS = ("none", "median", "hyperband", "successive_halving")
DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True)
class Pruning:
    """When a trial is stopped early, judged by its validations.

    Attributes:
        method: none, median (worse than the median of the others at the same step), hyperband or successive_halving.
        startup_trials: finished trials before `median` stops any.
        warmup_steps: optimizer steps that every trial may take.
        reduction_factor: of the two halving methods: one trial out of so many goes on from each level.
    """

    method: str = "none"
    startup_trials: int = 5
    warmup_steps: int = 0
    reduction_factor: int = 3


@dataclass(frozen=True)
class Wanted:
    """One objective as it is asked for.

    Attributes:
        score: the monitored score where None, else its name or that of a number of run.json.
        direction: maximize or minimize; None for what is known of the score.
    """

    score: str | None = None
    direction: str | None = None


@dataclass(frozen=True)
class SearchSettings:
    """hydra.sweeper of hydra/sweeper=optuna.

    Attributes:
        trials: how many trials the search has in all, over every process that works on it: those with a value, those
            stopped early and those that failed. Combinations that cannot be built do not count.
        sampler: tpe, random, cmaes, nsgaii or grid.
        seed: of the sampler.
        startup_trials: drawn at random before tpe and cmaes learn from what was found; the generation of nsgaii.
        params: space or value by key, as on the command line.
        spaces: further spaces by the choice that they belong to.
        objectives: what is searched for; the monitored score where empty.
        pruning: when a trial is stopped early.
        refused_in_a_row: combinations that cannot be built, one after the other, that end the search.
        accept_changed: whether a search may go on whose definition was changed.
        poll_seconds: between two looks at the running trials.
    """

    trials: int = 20
    sampler: str = "tpe"
    seed: int = 1
    startup_trials: int = 10
    params: Mapping[str, Any] | None = None
    spaces: Mapping[str, Any] | None = None
    objectives: tuple[Wanted, ...] = ()
    pruning: Pruning = field(default_factory=Pruning)
    refused_in_a_row: int = 20
    accept_changed: bool = False
    poll_seconds: float = 1.0


def read_settings(node: Mapping[str, Any]) -> SearchSettings:
    """Checks the settings of a search.

    Args:
        node: plain values by name; what is missing has its default.

    Raises:
        RequestError: naming the first key that is unknown or whose value is none of its kind.
    """
    _known(node, SearchSettings, "hydra.sweeper")
    given = {key: value for key, value in node.items() if key not in ("objectives", "pruning")}
    pruning: Any = node.get("pruning") or {}
    pruning = {"method": pruning} if isinstance(pruning, str) else pruning
    _known(pruning, Pruning, "hydra.sweeper.pruning")
    settings = SearchSettings(
        **given,
        objectives=_objectives(node.get("objectives")),
        pruning=Pruning(**pruning),
    )
    _one_of(settings.sampler, SAMPLERS, "sampler")
    _one_of(settings.pruning.method, PRUNERS, "pruning.method")
    for name, least in {"trials": 1, "seed": 0, "startup_trials": 1, "refused_in_a_row": 1}.items():
        _whole(getattr(settings, name), least, name)
    for name, least in {"startup_trials": 0, "warmup_steps": 0, "reduction_factor": 2}.items():
        _whole(getattr(settings.pruning, name), least, f"pruning.{name}")
    seconds = settings.poll_seconds
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 3600:
        raise RequestError(f"hydra.sweeper.poll_seconds={seconds}: seconds above 0 are expected")
    if not isinstance(settings.accept_changed, bool):
        raise RequestError(f"hydra.sweeper.accept_changed={settings.accept_changed}: true or false is expected")
    if settings.pruning.method != "none" and len(settings.objectives) > 1:
        raise RequestError(
            f"hydra.sweeper.pruning.method={settings.pruning.method}: trials are stopped early by one objective alone; "
            "choose none, or one objective"
        )
    if settings.sampler == "cmaes" and len(settings.objectives) > 1:
        raise RequestError("hydra.sweeper.sampler=cmaes: it knows one objective; choose nsgaii, tpe or random")
    return settings


def _objectives(listed: Any) -> tuple[Wanted, ...]:
    place = "hydra.sweeper.objectives"
    if listed is None:
        return ()
    if not isinstance(listed, list | tuple):
        raise RequestError(f"{place}={listed!r}: a list is expected, as in [{{score: bleu}}, {{score: seconds}}]")
    found = []
    for item in listed:
        entry = {"score": item} if isinstance(item, str) else item
        _known(entry, Wanted, place)
        wanted = Wanted(**entry)
        if wanted.direction is not None:
            _one_of(wanted.direction, DIRECTIONS, "objectives: direction")
        if wanted.score is not None and not isinstance(wanted.score, str):
            raise RequestError(f"{place}: score is {wanted.score!r}; the name of a score is expected")
        if wanted.score in {other.score for other in found}:
            raise RequestError(f"{place}: {wanted.score or 'the monitored score'} is named twice")
        found.append(wanted)
    return tuple(found)


def _known(node: Any, kind: type, place: str) -> None:
    names = [item.name for item in fields(kind)]
    if not isinstance(node, Mapping):
        raise RequestError(f"{place}={node!r}: a section with {', '.join(names)} is expected")
    for key in node:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
            raise RequestError(f"unknown key {place}.{key}" + (f"; did you mean {place}.{near[0]}?" if near else ""))


def _one_of(value: Any, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RequestError(f"hydra.sweeper.{name}={value}: one of {', '.join(known)} is expected{hint}")


def _whole(value: Any, least: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise RequestError(f"hydra.sweeper.{name}={value}: a whole number from {least} on is expected")
