"""What of a study is done, what is left and what that costs; needs neither Hydra nor torch."""

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from s2s_lab.faults import RequestError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.recorded_evaluation import Asked, find_evaluation
from s2s_lab.records.results import Results, Slot
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.records.study_claims import needed_by
from s2s_lab.records.study_file import Study
from s2s_lab.records.study_rows import Row
from s2s_lab.sweeps.job_folders import is_free

Status = Literal["done", "running", "unevaluated", "interrupted", "failed", "to do"]
"""Of a training; unevaluated: finished, but evaluations are missing. Failed ones are to do again."""


@dataclass(frozen=True)
class PlannedJob:
    """One training of the study.

    Attributes:
        row: its row.
        slot: what the study wants of it.
        job: the frozen job.
        status: where it stands.
        seconds: that it took where it is done; None where that is not known.
        waiting: name of an evaluation -> rows that it names and that have no finished model of the seed here.
    """

    row: Row
    slot: Slot
    job: FrozenJob
    status: Status
    seconds: float | None
    waiting: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenRow:
    """A row that cannot be run yet.

    Attributes:
        row: the row.
        obstacle: why its configuration cannot be composed now; None where its words can.
    """

    row: Row
    obstacle: str | None


@dataclass(frozen=True)
class Plan:
    """The whole study.

    Attributes:
        study: the study.
        jobs: its trainings, by row and seed.
        open_rows: rows that need something.
        at_once: how many jobs run side by side.
    """

    study: Study
    jobs: tuple[PlannedJob, ...]
    open_rows: tuple[OpenRow, ...]
    at_once: int

    def of_row(self, row: Row) -> list[PlannedJob]:
        """The trainings of a row."""
        return [planned for planned in self.jobs if planned.row.name == row.name]

    def left(self) -> list[PlannedJob]:
        """What is to be started, in the order of starting.

        Lower priorities come first, then first seeds of all rows before second ones, so that a study that is stopped
        has something of every row. A training that several rows share is there once, where the first of them stands.
        One that another process does now is waited for, and gone on with if that process ends before it.
        """
        position = {row.name: number for number, row in enumerate(self.study.rows)}
        waiting = [planned for planned in self.jobs if planned.status != "done"]
        waiting.sort(key=lambda p: (p.row.priority, p.row.seeds.index(p.slot.seed), position[p.row.name]))
        first: dict[str, PlannedJob] = {}
        for planned in waiting:
            first.setdefault(planned.job.hash, planned)
        return list(first.values())

    def expected_seconds(self, planned: PlannedJob) -> float | None:
        """Estimate the training that is left of a job.

        From the mean of the same row's other seeds, else the median of all jobs of the study, else the budget.
        """
        if planned.status in ("done", "unevaluated"):
            return 0.0
        own = [other.seconds for other in self.of_row(planned.row) if other.seconds is not None]
        if own:
            return sum(own) / len(own)
        known = [other.seconds for other in self.jobs if other.seconds is not None]
        if known:
            return statistics.median(known)
        return None if self.study.minutes_per_job is None else self.study.minutes_per_job * 60

    def expected_wall_seconds(self, planned: Iterable[PlannedJob]) -> float | None:
        """Estimate how long jobs take together, several at once; None where one of them cannot be estimated."""
        costs = [self.expected_seconds(each) for each in planned]
        known = [cost for cost in costs if cost is not None]
        if len(known) < len(costs):
            return None
        return max([sum(known) / max(1, min(self.at_once, len(known))), *known])

    def waits_for(self, claim: Mapping[str, object]) -> list[str] | None:
        """Give what a claim waits for: rows and blocks that are not done with all their seeds; open ones say so.

        Rows that an evaluation of the claim names count too. None if the plan leaves a row of the claim out.
        """
        waiting = []
        for name in self._rows_needed(claim):
            rows = self.study.rows_of(name)
            is_open = [any(item.row.name == row.name for item in self.open_rows) for row in rows]
            if any(not known and not self.of_row(row) for row, known in zip(rows, is_open, strict=True)):
                return None
            undone = [any(each.status != "done" for each in self.of_row(row)) for row in rows]
            if any(is_open):
                waiting.append(f"{name} (open)")
            elif any(undone):
                waiting.append(name + (f" ({sum(undone)} of {len(rows)} rows)" if len(rows) > 1 else ""))
        return list(dict.fromkeys(waiting))

    def evaluations_waiting(self) -> list[str]:
        """Say of each evaluation that names rows which of them it waits for, row by row."""
        left = [planned for planned in self.jobs if planned.status != "done"]
        return waiting_lines((each.row.name, each.slot.seed, each.waiting) for each in left)

    def _rows_needed(self, claim: Mapping[str, object]) -> list[str]:
        needed = needed_by(claim)
        companions = [row.name for each in needed for row in self.study.named_by(each.evaluation)]
        return list(dict.fromkeys([*(each.row for each in needed), *companions]))


def waiting_lines(waiting: Iterable[tuple[str, int, Mapping[str, Sequence[str]]]]) -> list[str]:
    """Say what evaluations wait for, one line for each evaluation of a row and each row that it names.

    Args:
        waiting: row, seed, and name of an evaluation -> rows that have no finished model of the seed here.
    """
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for row, seed, evaluations in waiting:
        for evaluation, rows in evaluations.items():
            for other in rows:
                seeds.setdefault((row, evaluation, other), []).append(seed)
    return [
        f"{evaluation} of {row} waits for {other}, which has no finished model here of "
        f"seed{'s' * (len(own) > 1)} {', '.join(map(str, own))}"
        for (row, evaluation, other), own in seeds.items()
    ]


def needed_here(jobs: Sequence[PlannedJob], runs: Mapping[str, Sequence[RunFolder]]) -> list[PlannedJob]:
    """Count recorded trainings as not done whose models are not here and without which others cannot be evaluated.

    Args:
        jobs: as results.json and the runs of this machine tell them.
        runs: hash of a job -> its runs.

    Raises:
        RequestError: if a record cannot be read.
    """
    undone = [planned for planned in jobs if planned.status != "done"]
    needed = {(row, each.slot.seed) for each in undone for rows in each.waiting.values() for row in rows}
    found = []
    for planned in jobs:
        if planned.status == "done" and (planned.row.name, planned.slot.seed) in needed:
            own = [run for run in runs.get(planned.job.hash, []) if run.read().get("status") != "finished"]
            status, _ = status_of(planned.slot, {}, own, Results(""))
            planned = replace(planned, status=status)
        found.append(planned)
    return found


def find_study_runs(root: Path, tell: Callable[[str], object]) -> dict[str, list[RunFolder]]:
    """Find the runs of a study.

    Args:
        root: the folder of its runs; it need not exist.
        tell: told why a run is left out: its record cannot be read.

    Returns:
        Hash of the job -> its runs, the oldest first.
    """
    found: dict[str, list[RunFolder]] = {}
    for file in sorted(root.glob("*/run.json")):
        try:
            run = RunFolder.open(file.parent)
            found.setdefault(str(run.read().get("job_hash")), []).append(run)
        except RequestError as error:
            tell(f"{error}; the run is left out")
    return found


def status_of(
    slot: Slot,
    asked: Mapping[str, Asked],
    runs: Sequence[RunFolder],
    recorded: Results,
    waiting: Collection[str] = (),
) -> tuple[Status, float | None]:
    """Tell where a training stands, and the seconds it took.

    Args:
        slot: the training.
        asked: the evaluations it should have.
        runs: run folders of its hash.
        recorded: what results.json holds, with what other studies measured of it.
        waiting: names of evaluations that it should have and that cannot be done yet.

    Raises:
        RequestError: if a record cannot be read.
    """
    entries = [entry for entry in (*recorded.jobs, *recorded.former) if slot.complete(entry)]
    if entries:
        return "done", entries[0].get("seconds")
    facts = [(run, run.read()) for run in runs]
    finished = [(run, fact) for run, fact in facts if fact.get("status") == "finished"]
    for run, fact in finished:
        if not waiting and all(find_evaluation(run, each) is not None for each in asked.values()):
            return "done", fact.get("seconds")
    if finished:
        return "unevaluated", finished[-1][1].get("seconds")
    if any(fact.get("status") == "running" and not is_free(run) for run, fact in facts):
        return "running", None
    if any(fact.get("status") in ("interrupted", "running") for _, fact in facts):
        return "interrupted", None
    return ("failed" if facts else "to do"), None


def finished_runs(runs: Mapping[str, Sequence[RunFolder]], wanted: Collection[str]) -> dict[str, list[RunFolder]]:
    """Give the finished runs of the hashes that are wanted."""
    return {key: [run for run in runs[key] if run.read().get("status") == "finished"] for key in wanted if key in runs}


def check_chosen(study: Study, rows: Sequence[str], seeds: Sequence[int]) -> tuple[list[Row], set[int] | None]:
    """Give the rows and seeds that a command line asks for.

    Args:
        study: the study.
        rows: names of rows and blocks; all where empty.
        seeds: all where empty.

    Returns:
        The rows in the study's order, and the seeds or None for all.

    Raises:
        RequestError: for a row or a seed that the study has not.
    """
    names = {row.name for name in rows for row in study.rows_of(name)}
    known = {seed for row in study.rows for seed in row.seeds}
    for seed in seeds:
        if seed not in known:
            shown = ", ".join(map(str, sorted(known)[:20]))
            raise RequestError(f"{study.path}: --seed {seed}: no row has this seed; expected one of {shown}")
    chosen = [row for row in study.rows if not rows or row.name in names]
    return chosen, set(seeds) or None
