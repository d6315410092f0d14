"""A plan says in which order trainings start and how long they take."""

from types import SimpleNamespace
from typing import Any

import pytest

from s2s_lab.sweeps.study_plan import Plan, PlannedJob

ROWS = {name: SimpleNamespace(name=name, priority=priority, seeds=(1, 2)) for name, priority in
        (("first", 1), ("middle", 5), ("last", 10))}  # fmt: skip


def job(row: str, seed: int, key: str, status: Any = "to do", seconds: float | None = None) -> PlannedJob:
    slot: Any = SimpleNamespace(seed=seed)
    named: Any = SimpleNamespace(hash=key)
    chosen: Any = ROWS[row]
    return PlannedJob(chosen, slot, named, status, seconds)


def plan(*jobs: PlannedJob, at_once: int = 2) -> Plan:
    study: Any = SimpleNamespace(rows=tuple(ROWS.values()), minutes_per_job=10)
    return Plan(study, jobs, (), at_once)


def test_a_shared_training_starts_where_the_first_of_its_rows_stands() -> None:
    jobs = [job("last", 1, "shared"), job("middle", 1, "own"), job("first", 2, "later"), job("first", 1, "shared")]
    assert [(each.row.name, each.job.hash) for each in plan(*jobs).left()] == [
        ("first", "shared"), ("first", "later"), ("middle", "own"),
    ]  # fmt: skip


def test_what_another_process_trains_is_waited_for_and_what_is_done_is_not() -> None:
    jobs = [job("first", 1, "a", "done", 5.0), job("first", 2, "b", "running"), job("middle", 1, "c")]
    assert [each.job.hash for each in plan(*jobs).left()] == ["b", "c"]


@pytest.mark.parametrize(
    ("left", "at_once", "seconds"), [(0, 2, 0.0), (1, 2, 60.0), (2, 2, 60.0), (3, 2, 90.0), (4, 2, 120.0), (4, 8, 60.0)]
)
def test_the_time_of_all_is_shared_by_no_more_than_there_are(left: int, at_once: int, seconds: float) -> None:
    done = job("first", 1, "done", "done", 60.0)
    waiting = [job("first", 2, str(number)) for number in range(left)]
    assert plan(done, *waiting, at_once=at_once).expected_wall_seconds(waiting) == pytest.approx(seconds)
