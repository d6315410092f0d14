"""Runs jobs: each one process from one frozen folder, several at once, with a ledger that makes the sweep resume."""

import contextlib
import signal
import statistics
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.backends.base import OF_THE_PLACE, Backend, End, Task
from s2s_lab.sweeps.backends.choice import choose_backend
from s2s_lab.sweeps.definition import check_definition
from s2s_lab.sweeps.display import LIVE_SECONDS, Display
from s2s_lab.sweeps.ends import MEMORY, best_of, facts_of, judge_end, oom_kills
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.interrupts import Interrupts
from s2s_lab.sweeps.job_folders import former_folder, is_free, new_folder
from s2s_lab.sweeps.ledger import Ledger
from s2s_lab.sweeps.outcome import Outcome, Status
from s2s_lab.sweeps.progress import progress_of
from s2s_lab.sweeps.verdict import record_end

HELD_SECONDS = 0.5
"""Between two looks whether a folder's former process has ended."""


@dataclass(frozen=True)
class Running:
    """A job that was started.

    Attributes:
        job: Which one.
        folder: Its run folder.
        task: Its last start.
        attempts: How often it was started.
        since: When it was started last (time.monotonic).
        step: How far it had come then.
    """

    job: FrozenJob
    folder: RunFolder
    task: Task
    attempts: int
    since: float
    step: int = 0


class Engine:
    """Runs the jobs of one sweep; a context manager that holds the experiments' ledgers.

    Args:
        settings: from hydra.launcher.
        total: how many jobs the sweep has.
        share_among: by how many jobs threads are shared, where those that are done count too; `total` where None.
        backend: where jobs run; chosen by the settings where None.
        display: of the progress; a table on a terminal and lines elsewhere where None.
        program: the command's name, before messages on standard error.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        total: int,
        share_among: int | None = None,
        backend: Backend | None = None,
        display: Display | None = None,
        program: str = "s2s-train",
    ) -> None:
        self.settings, self.total, self.program = settings, total, program
        self._sharing = share_among or total
        self.display = display or Display(total=total, program=program)
        self._backend = backend
        self._ledgers: dict[Path, Ledger] = {}
        self._context, self._interrupts = contextlib.ExitStack(), Interrupts()
        self._running: dict[str, Running] = {}
        self._held: list[Running] = []
        self._stopping: set[str] = set()
        self._ends: deque[End] = deque()
        self._outcomes: deque[Outcome] = deque()
        self._position = 0
        self._outputs = Path("outputs")
        self._oom_kills = oom_kills()
        self._closing = False
        self.halted = False

    @property
    def backend(self) -> Backend:
        """Where jobs run."""
        if self._backend is None:
            self._backend = choose_backend(self.settings, total=self._sharing, outputs=self._outputs)
        return self._backend

    def __enter__(self) -> "Engine":
        self._context.enter_context(self.display)
        self._context.enter_context(self._interrupts)
        return self

    def __exit__(self, *_: object) -> None:
        with self._context:
            try:
                self._end_all()
            finally:
                if self._backend is not None:
                    self._backend.close()

    def hold(self, jobs: Sequence[FrozenJob]) -> None:
        """Takes the ledgers of these jobs' experiments, before anything runs.

        Raises:
            RequestError: if another sweep runs in one of them, or a job was defined otherwise when it ran before.
        """
        self.expect(jobs)
        for folder in dict.fromkeys(job.experiment for job in jobs):
            ledger = self._ledger(folder)
            own = [job for job in jobs if job.experiment == folder]
            check_definition(ledger, own, accept=self.settings.accept_changed, program=self.program)
            done = [key for key, entry in ledger.entries.items() if entry.status == "finished"]
            ledger.planned([job.hash for job in own if job.hash not in done])

    def expect(self, jobs: Sequence[FrozenJob]) -> None:
        """Learns what jobs there will be, or some that stand for them: whether they need GPUs, and where they write."""
        if self._backend is None:
            self.settings = self.settings.without_gpus(job.settings["trainer"] for job in jobs)
        for job in jobs[:1]:
            self._outputs = Path(job.settings["paths"]["outputs"])

    def announce(self, jobs: Sequence[FrozenJob], *, done: int | None = None) -> None:
        """Says what is about to happen, and how long like jobs took before.

        Args:
            jobs: all of the sweep; of a search, some that stand for those that it draws.
            done: how many jobs of a search have ended; None where it is no search.
        """
        ledgers = {job.experiment: self._ledger(job.experiment) for job in jobs}
        known = [facts_of(RunFolder(ledger.folder / entry.folder)) for ledger in ledgers.values()
                 for entry in ledger.entries.values() if entry.status == "finished"]  # fmt: skip
        drawn = done is not None
        if done is None:
            found = [former_folder(job, ledgers[job.experiment]) for job in jobs]
            own = [facts for facts in map(facts_of, filter(None, found)) if facts.get("status") == "finished"]
            done, known = len(own), own or known
        seconds = [float(facts["seconds"]) for facts in known if facts.get("seconds")]
        cores = max((self._cores(job) * _ranks(job.settings["trainer"]) for job in jobs), default=1)
        places = self.backend.places(cores, max(map(self._gpus, jobs), default=0)) or self.total
        self.display.plan(
            jobs,
            at_once=max(1, min(self.total, places)),
            cores=cores,
            done=done,
            seconds=statistics.median(seconds) if seconds else None,
            drawn=drawn,
        )

    def has_room(self) -> bool:
        """Whether another job would start now."""
        return not self.halted and self.backend.has_room()

    def running(self) -> list[Running]:
        """The jobs that have been started and have not ended."""
        return [*self._running.values(), *self._held]

    def start(self, job: FrozenJob, evaluations: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Starts a job, goes on with it where it was interrupted, or gives its outcome where it had finished.

        Args:
            job: checked and frozen.
            evaluations: what it is to be evaluated on once it is trained: plain settings of evaluations.

        Raises:
            RequestError: if its folder cannot be made, or another sweep runs in its experiment.
        """
        self._position += 1
        self._outputs = Path(job.settings["paths"]["outputs"])
        ledger = self._ledger(job.experiment)
        folder = former_folder(job, ledger)
        resume = folder is not None
        if folder is None:
            folder = new_folder(job, threads=self._cores(job), position=self._position, total=self.total)
        if evaluations is not None:
            folder.plan_evaluations(evaluations)
        if resume and folder.read()["status"] == "finished" and not folder.open_evaluations():
            if job.hash not in ledger.entries:
                ledger.started(job=job.hash, label=job.label, folder=folder.path, resume=False)
            if ledger.entries[job.hash].status != "finished":
                ledger.ended(job=job.hash, status="finished", value=best_of(folder))
            self._outcomes.append(Outcome(job, "finished", folder, attempts=0))
            self.display.finished_before(job, folder)
            return
        threads = folder.configuration()["trainer"]["num_threads"]  # frozen, whatever a job's share is now
        cores = (threads or self._cores(job)) * _ranks(job.settings["trainer"])
        task = Task(folder, cores=cores, gpus=self._gpus(job), resume=resume)
        step = progress_of(folder).step if resume else 0
        self._held.append(Running(job, folder, task, 1, time.monotonic(), step))
        self._start_held()
        if any(item.job.hash == job.hash for item in self._held):
            self.display.waits(job, folder)

    def wait(self, seconds: float) -> list[Outcome]:
        """The jobs that have ended; returns as soon as one has, at the latest after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            self._start_held()
            left = deadline - time.monotonic()
            if not self._outcomes and left > 0:
                self._collect(min(left, HELD_SECONDS if self._held else LIVE_SECONDS))
            self.display.refresh(self.running())
            if self._outcomes or left <= 0:
                ended = list(self._outcomes)
                self._outcomes.clear()
                return ended

    def stop(self, job: FrozenJob) -> None:
        """Ends one job with its state saved; its outcome is `stopped`."""
        self._stopping.add(job.hash)
        for item in list(self._held):
            if item.job.hash == job.hash:
                self._held.remove(item)
                if job.hash in self._ledger(job.experiment).entries:
                    self._end(item, "stopped", "")
                else:
                    reason = "another process trains it"
                    self._tell(Outcome(job, "stopped", item.folder, reason, attempts=0))
        if job.hash in self._running:
            self.backend.stop(self._running[job.hash].task)

    def _ledger(self, folder: Path) -> Ledger:
        folder = folder.resolve()
        if folder not in self._ledgers:
            self._ledgers[folder] = self._context.enter_context(Ledger(folder).held())
        return self._ledgers[folder]

    def _cores(self, job: FrozenJob) -> int:
        """Threads of each rank: as told, else its part of the job's share."""
        told = job.settings["trainer"]["num_threads"] or self.settings.cores_per_job
        return told or max(1, self.settings.cores_of_a_job(self._sharing) // _ranks(job.settings["trainer"]))

    def _gpus(self, job: FrozenJob) -> int:
        trainer, given = job.settings["trainer"], self.settings.gpus_per_job
        if trainer["accelerator"] == "cpu":
            return 0
        return self.settings.gpus_of_a_job(trainer["devices"]) if given is None else given

    def _start_held(self) -> None:
        """Starts what waits, once nobody else trains in its folder: one of a killed sweep may still save its state."""
        for item in list(self._held):
            if self.backend.adopts or is_free(item.folder):
                with self._interrupts.held_back():
                    self._start(item)

    def _start(self, item: Running) -> None:
        self._held.remove(item)
        ledger, resume = self._ledger(item.job.experiment), item.task.resume
        ledger.started(job=item.job.hash, label=item.job.label, folder=item.folder.path, resume=resume)
        self._running[item.job.hash] = replace(item, since=time.monotonic())
        self.display.started(item.job, item.folder, resume=resume)
        try:
            self.backend.start(item.task)
        except RequestError as error:  # the place will never take it
            self._conclude(End(item.task, 2, str(error)))
        except OSError as error:
            self._conclude(End(item.task, 1, f"it cannot be started: {error}"))

    def _collect(self, seconds: float) -> None:
        """Waits for what ends, and writes it down before any interrupt; what a fault leaves over comes first then."""
        with self._interrupts.held_back():
            self._ends.extend(self.backend.wait(0.0 if self._ends else seconds))
            while self._ends:
                self._conclude(self._ends.popleft())

    def _conclude(self, end: End) -> None:
        item = next(item for item in self._running.values() if item.task == end.task)
        del self._running[item.job.hash]
        status, reason = judge_end(end, stopping=item.job.hash in self._stopping, closing=self._closing)
        memory = bool(MEMORY.search(reason))
        killed = end.code == -signal.SIGKILL or f"killed by signal {signal.SIGKILL:d}" in reason  # itself or a rank
        if killed and oom_kills() > self._oom_kills:
            self._oom_kills += 1
            reason = reason if memory else f"{reason} by the system, out of memory"
            memory = True
        with contextlib.suppress(RequestError, OSError):  # the folder may be gone
            if status == "failed":
                record_end(item.folder, "failed", reason)
            elif status in ("interrupted", "stopped"):
                record_end(item.folder, "interrupted", reason or "stopped by the sweep")
        if not self.halted and not self._closing and self._again(item, end, status):
            self._ledger(item.job.experiment).ended(job=item.job.hash, status=status, reason=reason)
            self.display.again(item.job, reason, attempt=item.attempts)
            alone = memory and self.settings.backend == "local"  # elsewhere others do not share its memory
            cores = self.settings.all_cores if alone else item.task.cores
            task, step = replace(item.task, resume=True, cores=cores), progress_of(item.folder).step
            self._held.append(replace(item, task=task, attempts=item.attempts + 1, step=step))
            return
        self._end(item, status, reason, memory=memory)
        if status in ("failed", "refused") and self.settings.on_failure == "stop":
            self.halted = True
            for other in self.running():
                self.stop(other.job)

    def _again(self, item: Running, end: End, status: Status) -> bool:
        """Whether a job goes on by itself: after a fault of the place if it came further, else as the user said."""
        if end.reason in OF_THE_PLACE and status in ("failed", "interrupted"):
            return progress_of(item.folder).step > item.step
        return status == "failed" and self.settings.on_failure == "retry" and item.attempts <= self.settings.retries

    def _end(self, item: Running, status: Status, reason: str, *, memory: bool = False) -> None:
        value = best_of(item.folder) if status == "finished" else None
        self._ledger(item.job.experiment).ended(job=item.job.hash, status=status, reason=reason, value=value)
        self._tell(Outcome(item.job, status, item.folder, reason, memory, item.attempts))

    def _tell(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self.display.ended(outcome)

    def _end_all(self) -> None:
        """Asks all that runs to save its state, waits, and records how it ended; asked again meanwhile, kills it."""
        self._closing = True
        for item in list(self._held):
            self._held.remove(item)
            self._outcomes.append(Outcome(item.job, "interrupted", item.folder, "interrupted", attempts=item.attempts))
        stopped = False
        while self._running:
            try:
                if not stopped:
                    stopped = True
                    for item in self._running.values():
                        self.backend.stop(item.task)
                self._collect(LIVE_SECONDS)
            except KeyboardInterrupt:
                stopped = False


def _ranks(trainer: Mapping[str, Any]) -> int:
    return trainer["devices"] * trainer["num_nodes"]
