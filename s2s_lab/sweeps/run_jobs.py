"""Runs a list of jobs through the engine, until all have ended or a time is over."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.outcome import Outcome


def run_jobs(
    engine: Engine,
    jobs: Sequence[FrozenJob],
    evaluations: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    seconds: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> list[Outcome]:
    """Runs jobs to their end, in order, as many at once as there is room for.

    Args:
        engine: entered.
        jobs: checked and frozen.
        evaluations: of each job, by its hash.
        seconds: when they are over none is started any more, and those that run save their state and stop.
        clock: tells seconds.

    Returns:
        Their outcomes in the order they ended; fewer than jobs where a failure or the time stopped the sweep.

    Raises:
        RequestError: if another sweep runs there, or a job was defined otherwise when it ran before.
        KeyboardInterrupt: after an interrupt; what ran has saved its state.
    """
    engine.hold(jobs)
    engine.announce(jobs)
    end, waiting, outcomes = clock() + seconds, deque(jobs), []
    stopped: set[str] = set()
    while waiting or engine.running():
        over = clock() >= end
        while waiting and not over and engine.has_room():
            job = waiting.popleft()
            engine.start(job, (evaluations or {}).get(job.hash, []))
        if engine.halted or over:
            waiting.clear()
        for each in engine.running() if over else ():
            if each.job.hash not in stopped:
                stopped.add(each.job.hash)
                engine.stop(each.job)
        outcomes += engine.wait(60.0 if over else min(60.0, max(0.0, end - clock())))
    return [*outcomes, *engine.wait(0.0)]
