"""Which runs stand for the rows that evaluations of a study name: those of the same seed that are on this machine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2s_lab.assemble.study import ComposedRow, signature_of
from s2s_lab.inference.frozen import WEIGHTS
from s2s_lab.records.recorded_evaluation import Asked
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.records.study_companions import rows_named, with_rows


@dataclass(frozen=True)
class Wanted:
    """The evaluations that one training should have.

    Attributes:
        asked: name -> evaluation, with run folders in place of the rows it names.
        waiting: name of an evaluation that cannot be done yet -> rows that have no finished model of the seed here.
    """

    asked: dict[str, Asked]
    waiting: dict[str, tuple[str, ...]]


class Companions:
    """The rows that evaluations name, and their runs.

    Args:
        composed: rows with evaluations and the rows that those name; one that is missing has no run.
        runs: hash of a job -> its runs, the oldest first.
    """

    def __init__(self, composed: Iterable[ComposedRow], runs: Mapping[str, Sequence[RunFolder]]) -> None:
        self._composed = {each.row.name: each for each in composed}
        self._runs = runs

    def signatures(self) -> dict[str, str]:
        """Give for each evaluation that names rows its signature over all seeds, where the rows are known."""
        found = {}
        for each in self._composed.values():
            for name, asked in each.asked.items():
                if rows_named(asked.settings) and all(row in self._composed for row in rows_named(asked.settings)):
                    found[name] = self._over_seeds(asked.settings)
        return found

    def wanted(self, row: str, seed: int) -> Wanted:
        """Give the evaluations of a training, those alone first.

        Raises:
            RequestError: if the model of a run that an evaluation names is damaged.
        """
        alone, together, waiting = dict[str, Asked](), dict[str, Asked](), dict[str, tuple[str, ...]]()
        for name, asked in self._composed[row].asked.items():
            places = {other: self.finished(other, seed) for other in rows_named(asked.settings)}
            missing = tuple(other for other, place in places.items() if place is None)
            if missing:
                waiting[name] = missing
            elif places:
                settings = with_rows(asked.settings, lambda other, places=places: str(places[other]))
                over_seeds = self._over_seeds(asked.settings)
                together[name] = replace(
                    asked, settings=settings, signature=signature_of(settings), signature_over_seeds=over_seeds
                )
            else:
                alone[name] = asked
        return Wanted({**alone, **together}, waiting)

    def settings_by_hash(self, rows: Iterable[ComposedRow]) -> dict[str, list[dict[str, Any]]]:
        """Give for each job's hash the evaluations of all these rows that share it, as far as they can be done now."""
        found: dict[str, list[dict[str, Any]]] = {}
        for composed in rows:
            for seed, job in composed.jobs.items():
                settings, asked = found.setdefault(job.hash, []), self.wanted(composed.row.name, seed).asked
                settings += [each.settings for each in asked.values() if each.settings not in settings]
        return {key: sorted(settings, key=lambda each: bool(rows_named(each))) for key, settings in found.items()}

    def finished(self, row: str, seed: int) -> Path | None:
        """Give the run folder of a training that has a finished model on this machine: of several the last one."""
        job = self._composed[row].jobs.get(seed) if row in self._composed else None
        for run in reversed(self._runs.get(job.hash, ()) if job is not None else ()):
            if run.read().get("status") == "finished" and (run.model / WEIGHTS).is_file():
                return run.path.resolve()
        return None

    def _over_seeds(self, settings: Mapping[str, Any]) -> str:
        named = with_rows(settings, lambda row: self._composed[row].row_hash)
        return signature_of(named, named=Path.as_posix)
