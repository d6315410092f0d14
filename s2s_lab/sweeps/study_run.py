"""Starts what is left of a study through the engine of sweeps, until all is done or a time is over."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from s2s_lab.records.frozen_job import FrozenJob

PATIENCE = 5.0  # seconds between two looks at the clock


def run_study(
    jobs: Sequence[FrozenJob],
    evaluations: Mapping[str, list[dict[str, Any]]],
    launcher: Mapping[str, Any],
    *,
    seconds: float | None = None,
) -> list[Any]:
    """Runs jobs in their order.

    Args:
        jobs: what to run.
        evaluations: hash of a job -> plain settings of its evaluations.
        launcher: the composed launcher node of Hydra's configuration, plain.
        seconds: after which nothing is started any more; no end where None.

    Returns:
        The outcomes of the jobs that were started.

    Raises:
        RequestError: if the launcher's settings are wrong.
    """
    from s2s_lab.sweeps.engine import Engine, run_jobs
    from s2s_lab.sweeps.engine_settings import EngineSettings

    with Engine(EngineSettings.of(launcher), total=len(jobs), program="s2s-study") as engine:
        if seconds is None:
            return run_jobs(engine, jobs, evaluations=evaluations)
        return run_within(engine, jobs, evaluations, seconds)


def run_within(
    engine: Any,
    jobs: Sequence[FrozenJob],
    evaluations: Mapping[str, list[dict[str, Any]]],
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> list[Any]:
    """Runs jobs in their order; when the time is over none is started any more, and those that run save and stop.

    Args:
        engine: an Engine of sweeps.
        jobs: what to run.
        evaluations: hash of a job -> plain settings of its evaluations.
        seconds: the time.
        clock: tells seconds.

    Returns:
        The outcomes of the jobs that were started.
    """
    engine.hold(jobs)
    engine.announce(jobs)
    end, waiting, outcomes = clock() + seconds, list(jobs), []
    stopped: set[str] = set()
    while True:
        over = clock() >= end
        while waiting and not over and engine.has_room():
            job = waiting.pop(0)
            engine.start(job, evaluations=evaluations.get(job.hash, []))
        if engine.halted:  # a failure ends the sweep
            waiting.clear()
        running = list(engine.running())
        for each in running:
            if over and each.job.hash not in stopped:
                stopped.add(each.job.hash)
                engine.stop(each.job)
        outcomes += engine.wait(min(PATIENCE, max(0.0, end - clock())) if not over and running else 0.2 * bool(running))
        if not engine.running() and (over or not waiting):
            return outcomes + engine.wait(0)
