"""What a search has found: the best trials, what mattered, and the command that trains the best one again."""

import shlex
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2s_lab.records.search_record import write_search
from s2s_lab.sweeps.search.beginning import Beginning
from s2s_lab.sweeps.search.objectives import Objective, front
from s2s_lab.sweeps.search.settings import SearchSettings

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

FEWEST_FOR_IMPORTANCE = 10
MOST_SHOWN = 5


@dataclass(frozen=True)
class Summary:
    """The end of a search.

    Attributes:
        best: numbers of the best trials, from 0: the best one first, or the front in order of the first objective.
        importance: of each searched dimension for each objective, by their names; sums to 1 where it is known.
        command: that trains the best trial again; empty where there is none.
        lines: all of it in words.
    """

    best: list[int]
    importance: dict[str, dict[str, float]]
    command: str
    lines: list[str]


def best_of(trials: Sequence["FrozenTrial"], objectives: Sequence[Objective]) -> list["FrozenTrial"]:
    """The best trial, earlier ones first among equals; with several objectives the front, by the first of them."""
    ranked = _ranked(trials, objectives[0])
    if len(objectives) == 1:
        return ranked[:1]
    positions = front([trial.values or [] for trial in ranked], objectives)
    return [ranked[position] for position in positions]


def shown_values(trial: "FrozenTrial", objectives: Sequence[Objective]) -> str:
    """The values of a finished trial in words."""
    pairs = zip(objectives, trial.values or [], strict=True)
    return ", ".join(f"{objective.name} {value:.5g}" for objective, value in pairs)


def summarise(study: "Study", beginning: Beginning, settings: SearchSettings) -> Summary:
    """Sums a search up and writes it into search.json beside its runs.

    Args:
        study: as it is now.
        beginning: what is searched, and for what.
        settings: of the search.
    """
    trials, objectives = study.get_trials(deepcopy=False), beginning.objectives
    best = best_of(trials, objectives)
    importance = importances(study, objectives)
    command = ""
    if best:
        fixed = [*beginning.search_path, *beginning.space.fixed]
        command = shlex.join(["s2s-train", *fixed, *best[0].user_attrs["words"]])
    lines = _lines(trials, best, importance, command, objectives, settings)
    found = Summary([trial.number for trial in best], importance, command, lines)
    write_search(beginning.experiment, _record(trials, found, beginning))
    return found


def importances(study: "Study", objectives: Sequence[Objective]) -> dict[str, dict[str, float]]:
    """How much each dimension decides each objective (PED-ANOVA); empty where trials are too few or all alike."""
    import optuna

    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state == optuna.trial.TrialState.COMPLETE]
    found = {}
    for position, objective in enumerate(objectives):
        values = {(trial.values or [])[position] for trial in done}
        if len(done) < FEWEST_FOR_IMPORTANCE or len(values) < 2:
            continue

        def target(trial: "FrozenTrial", position: int = position) -> float:
            return (trial.values or [])[position]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns of dimensions that only one value was drawn of
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            sign = -1.0 if objective.maximize else 1.0
            found[objective.name] = optuna.importance.get_param_importances(
                study, evaluator=evaluator, target=lambda trial, sign=sign, target=target: sign * target(trial)
            )
    known = {name: shares for name, shares in found.items() if any(shares.values())}
    return {name: {key: float(value) for key, value in shares.items()} for name, shares in known.items()}


def _lines(
    trials: Sequence["FrozenTrial"],
    best: Sequence["FrozenTrial"],
    importance: dict[str, dict[str, float]],
    command: str,
    objectives: Sequence[Objective],
    settings: SearchSettings,
) -> list[str]:
    counts = {
        name: sum(trial.user_attrs.get("outcome") == outcome for trial in trials)
        for name, outcome in {
            "finished": "finished",
            "stopped early": "stopped",
            "failed": "failed",
            "could not be built": "refused",
        }.items()
    }
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    used = counts["finished"] + counts["stopped early"] + counts["failed"]
    lines = [f"{used} of {settings.trials} trials: {told}"]
    for name, shares in importance.items():
        lines.append(f"what decided {name}: " + ", ".join(f"{key} {share:.0%}" for key, share in shares.items()))
    if not best:
        return lines
    if len(objectives) > 1:
        lines.append("the front, which no other trial beats:")
        shown = best
    else:
        lines.append("the best trials:")
        shown = _ranked(trials, objectives[0])[:MOST_SHOWN]
    for trial in shown:
        run = f" | {trial.user_attrs['run']}" if "run" in trial.user_attrs else ""
        words = " ".join(trial.user_attrs["words"])
        lines.append(f"  trial {trial.number + 1}: {shown_values(trial, objectives)} | {words}{run}")
    return [*lines, f"train the best one again: {command}"]


def _ranked(trials: Sequence["FrozenTrial"], objective: Objective) -> list["FrozenTrial"]:
    """Trials with a value, the best one first, without those that repeat another one."""
    done = [trial for trial in trials if trial.user_attrs.get("outcome") == "finished"]
    done = [trial for trial in done if "same_as" not in trial.user_attrs and trial.values is not None]
    sign = -1.0 if objective.maximize else 1.0
    return sorted(done, key=lambda trial: (sign * (trial.values or [0.0])[0], trial.number))


def _record(trials: Sequence["FrozenTrial"], found: Summary, beginning: Beginning) -> dict[str, Any]:
    """What search.json holds but its schema."""
    return {
        "definition": beginning.definition,
        "objectives": [
            {"name": objective.name, "higher_is_better": objective.maximize} for objective in beginning.objectives
        ],
        "trials": [
            {
                "number": trial.number,
                "outcome": trial.user_attrs.get("outcome"),
                "values": trial.values,
                "params": trial.params,
                "words": trial.user_attrs.get("words"),
                "job_hash": trial.user_attrs.get("job_hash"),
                "run": trial.user_attrs.get("run"),
                "reason": trial.user_attrs.get("reason"),
                "same_as": trial.user_attrs.get("same_as"),
                "validations": [[step, value] for step, value in sorted(trial.intermediate_values.items())],
            }
            for trial in trials
            if trial.user_attrs.get("outcome") not in ("requeued", "void")
        ],
        "best": found.best,
        "importance": found.importance,
        "command": found.command,
    }


def best_so_far(trials: Sequence["FrozenTrial"], objectives: Sequence[Objective]) -> str:
    """Says in brackets what the best trial has reached, or how many are on the front; nothing before one has ended."""
    best = best_of(trials, objectives)
    if not best:
        return ""
    if len(objectives) > 1:
        return f" (front of {len(best)})"
    assert best[0].values is not None
    return f" (best {best[0].values[0]:.5g}, trial {best[0].number + 1})"
