"""What a search wants: names, directions, and how a value is read from a finished run."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.settings import Wanted

DIRECTION_OF = {
    "parameters": "minimize",
    "seconds": "minimize",
    "training_seconds": "minimize",
    "steps": "minimize",
    "epochs": "minimize",
    "tokens": "minimize",
    "skipped_batches": "minimize",
    "peak_memory_mb": "minimize",
    "tokens_per_second": "maximize",
    "best.step": "minimize",
}
"""Numbers of run.json beside the monitored score, and which way each is usually wanted."""


@dataclass(frozen=True)
class Objective:
    """One thing that is searched for.

    Attributes:
        name: the monitored score, or a number of run.json.
        maximize: whether more is better.
        monitored: whether it is the monitored score, whose validations are known while a trial runs.
    """

    name: str
    maximize: bool
    monitored: bool

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """As Optuna calls it."""
        return "maximize" if self.maximize else "minimize"

    def value(self, facts: Mapping[str, Any]) -> float:
        """The value of a finished run.

        Args:
            facts: its run.json.

        Raises:
            RequestError: if the run has no such number.
        """
        if self.monitored:
            best = facts.get("best") or {}
            named = str(best.get("metric")).removeprefix("validation/")
            found = best.get("value") if named == self.name else None
        elif self.name.startswith("best."):
            found = (facts.get("best") or {}).get(self.name.removeprefix("best."))
        else:
            found = facts.get(self.name)
        if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
            raise RequestError(f"its run.json has no number {self.name}")
        return float(found)


def read_objectives(wanted: Sequence[Wanted], monitor: str, higher_is_better: bool) -> tuple[Objective, ...]:
    """The objectives of a search.

    Args:
        wanted: as asked for; nothing is the monitored score.
        monitor: the monitored score of the jobs.
        higher_is_better: its direction.

    Raises:
        RequestError: if a score is none that a run has, or one is named twice.
    """
    found = []
    for item in wanted or (Wanted(),):
        name = item.score or monitor
        known = {**DIRECTION_OF, monitor: "maximize" if higher_is_better else "minimize"}
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))} is expected"
            raise RequestError(
                f"hydra.sweeper.objectives: {name} is neither the monitored score ({monitor}, chosen by "
                f"metrics.monitor) nor a number of run.json; {hint}"
            )
        if name in {other.name for other in found}:
            raise RequestError(f"hydra.sweeper.objectives: {name} is named twice")
        found.append(Objective(name, (item.direction or known[name]) == "maximize", name == monitor))
    return tuple(found)


def front(values: Sequence[Sequence[float]], objectives: Sequence[Objective]) -> list[int]:
    """Positions of the values that no other one beats: as good in every objective and better in one.

    Args:
        values: one list a trial, in the order of the objectives.
        objectives: what is wanted.
    """
    signs = [1.0 if objective.maximize else -1.0 for objective in objectives]
    points = [tuple(sign * value for sign, value in zip(signs, row, strict=True)) for row in values]
    return [
        position
        for position, point in enumerate(points)
        if not any(other != point and all(a >= b for a, b in zip(other, point, strict=True)) for other in points)
    ]
