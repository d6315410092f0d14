"""Jobs on a SLURM cluster, submitted through submitit.

All machines must see the same file system, and on it the same installation of s2s_lab, the same corpora and the same
outputs folder: what the launcher and a job exchange is the run folder. Each start of a job is one SLURM job of one
task; starts asked for together are submitted as one array. A job that SLURM preempts or that comes near its time limit
saves its state and ends as interrupted; SLURM does not requeue it, for the launcher resumes it. Jobs go on when the
launcher is killed; when it is started again, those that still wait or run are taken up.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_json, write_json
from s2s_lab.sweeps.backends.base import End, Task
from s2s_lab.sweeps.backends.child import (
    CANCELLED,
    NODE_FAILED,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    PREEMPTED,
    STOP_SECONDS,
    Ended,
    run_start,
    start_of,
)
from s2s_lab.sweeps.backends.slurm_options import parameters_of, read_slurm_options

if TYPE_CHECKING:
    from submitit import Job

RESULT_SECONDS = 15.0
"""A job that has ended without a result may have written one that the shared file system does not show yet."""

STATE_SECONDS = 30.0
"""Between two questions to SLURM for the state of all jobs; most ends are seen earlier by their results."""

EARLY_SECONDS = 60.0
"""SLURM may send the signal before a time limit so much earlier than asked."""

STATES = {
    "OUT_OF_MEMORY": (OUT_OF_MEMORY, signal.SIGKILL),
    "CANCELLED": (CANCELLED, signal.SIGTERM),
    "REVOKED": (CANCELLED, signal.SIGTERM),
    "TIMEOUT": (OUT_OF_TIME, signal.SIGTERM),
    "DEADLINE": (OUT_OF_TIME, signal.SIGTERM),
    "PREEMPTED": (PREEMPTED, signal.SIGTERM),
    "NODE_FAIL": (NODE_FAILED, signal.SIGKILL),
    "BOOT_FAIL": (NODE_FAILED, signal.SIGKILL),
}
"""What states of SLURM say of a job that left no result: the reason, and the signal it ended by."""

LIVING = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "COMPLETING")


@dataclass
class _Submitted:
    """A task that SLURM has.

    Attributes:
        task: which one.
        job: submitit's.
        stops: how often it was asked to stop.
        lost: when it was first seen to have ended without a result, in seconds of the monotonic clock.
    """

    task: Task
    job: "Job[Ended]"
    stops: int = 0
    lost: float | None = None


class SlurmBackend:
    """Runs tasks on a SLURM cluster.

    Args:
        options: `cluster` (slurm; local runs submitit's stand-in on this machine, for tests), `partition`, `account`,
            `time` (minutes a start may take), `memory` (GB for a job), `save_seconds` (before the time limit a job is
            told to save its state), `sbatch` (a mapping of further options of sbatch to their values; true for one
            without a value), `setup` (lines of shell before a job).
        jobs_at_once: how many may be queued or run at a time; null for no limit.
        folder: where scripts, logs and results of the submissions go, `<outputs>/.slurm`.

    Raises:
        RequestError: if submitit or SLURM is missing, or an option is unknown or wrong.
    """

    adopts = True

    def __init__(self, options: Mapping[str, Any], jobs_at_once: int | None, folder: Path) -> None:
        self._options = read_slurm_options(options)
        cluster = self._options["cluster"]
        try:
            import submitit  # noqa: F401
        except ImportError:
            raise RequestError("jobs on SLURM need submitit: pip install 's2s-lab[slurm]'") from None
        if cluster == "slurm" and not all(map(shutil.which, ("sbatch", "srun", "scancel", "sacct"))):
            raise RequestError(
                "hydra.launcher.backend is slurm, but sbatch, srun, scancel and sacct are not all on the path; "
                "start the command on a machine of the cluster from which jobs are submitted"
            )
        self._jobs_at_once = jobs_at_once
        self._folder = folder.resolve()
        self._local = cluster != "slurm"
        self._waiting: list[Task] = []
        self._submitted: list[_Submitted] = []
        self._ends: list[End] = []
        self._state_asked = time.monotonic()
        self._was_submitted = False

    def has_room(self) -> bool:
        """Whether fewer than `jobs_at_once` are queued or run."""
        return self._jobs_at_once is None or len(self._waiting) + len(self._submitted) < self._jobs_at_once

    def places(self, cores: int, gpus: int) -> int | None:
        """How many tasks are queued and running together; None without a limit, for what runs is the cluster's say."""
        return self._jobs_at_once

    def start(self, task: Task) -> None:
        """Queues a task; those queued until the next `wait` are submitted together.

        A task whose run folder has a job of an earlier launcher that still waits or runs is not submitted again.
        """
        self._stop_file(task).unlink(missing_ok=True)
        job = self._earlier(task)
        if job is None:
            self._waiting.append(task)
        else:
            self._submitted.append(_Submitted(task, job))

    def wait(self, seconds: float) -> list[End]:
        """Submits what is queued, then waits until a task has ended, at most so long.

        Raises:
            RequestError: if nothing could ever be submitted: the options are wrong.
        """
        self._submit()
        deadline = time.monotonic() + seconds
        while True:
            self._look()
            rest = deadline - time.monotonic()
            if self._ends or rest <= 0:
                found, self._ends = self._ends, []
                return found
            time.sleep(min(rest, 0.05 if self._local else 1.0))

    def stop(self, task: Task) -> None:
        """Asks a task to save its state and to end (SIGTERM); asked again, kills it."""
        if task in self._waiting:
            self._waiting.remove(task)
            self._ends.append(End(task, -signal.SIGTERM, CANCELLED))
        for submitted in self._submitted:
            if submitted.task == task:
                self._stop(submitted)

    def close(self) -> None:
        """Stops all that still runs, and waits for its end; after a minute, kills it."""
        for task in list(self._waiting):
            self.stop(task)
        for _ in range(2):
            for submitted in self._submitted:
                self._stop(submitted)
            deadline = time.monotonic() + STOP_SECONDS
            while self._submitted and time.monotonic() < deadline:
                self.wait(min(1.0, STOP_SECONDS))

    # Submission.

    def _submit(self) -> None:
        alike: dict[tuple[int, int], list[Task]] = {}
        for task in self._waiting:
            alike.setdefault((task.cores, task.gpus), []).append(task)
        for needs, tasks in alike.items():
            self._waiting = [task for task in self._waiting if task not in tasks]
            self._submit_alike(tasks, parameters_of(self._options, *needs, at_once=self._jobs_at_once))

    def _submit_alike(self, tasks: Sequence[Task], parameters: Mapping[str, Any]) -> None:
        """Submits tasks of equal needs, several as one array."""
        import submitit

        calls = [partial(run_start, start_of(task, stop_file=self._stop_file(task))) for task in tasks]
        executor = submitit.AutoExecutor(self._folder / "jobs", cluster=self._options["cluster"])
        executor.update_parameters(**parameters)
        try:
            own = submitit.helpers.clean_env() if "SLURM_JOB_ID" in os.environ else contextlib.nullcontext()
            with own:  # the launcher may itself be a job
                jobs = executor.submit_array(calls)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            reason = f"SLURM has not taken the job: {' '.join(str(error).split()) or type(error).__name__}"
            self._ends += [End(task, 1, reason) for task in tasks]
            if not self._was_submitted:
                raise RequestError(reason) from None
            return
        self._was_submitted = True
        for task, job in zip(tasks, jobs, strict=True):
            self._submitted.append(_Submitted(task, job))
            write_json(self._note(task), {"job": job.job_id})

    def _note(self, task: Task) -> Path:
        """The file that says which job a run folder has."""
        return self._own_file(task, "json")

    def _stop_file(self, task: Task) -> Path:
        """The file whose presence keeps a job from starting, for signals sent before its worker hears them are lost."""
        return self._own_file(task, "stop")

    def _own_file(self, task: Task, ending: str) -> Path:
        folder = self._folder / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        experiment, run = task.folder.path.resolve().parts[-2:]
        return folder / f"{experiment}-{run}.{ending}"

    def _earlier(self, task: Task) -> "Job[Ended] | None":
        """The job that an earlier launcher has submitted for a run folder, if it still waits or runs."""
        note = self._note(task)
        if self._local or not note.is_file():
            return None
        from submitit import SlurmJob

        job = SlurmJob(self._folder / "jobs", job_id=read_json(note)["job"])
        return job if self._state(job) in LIVING else None

    # Ends.

    def _state(self, job: "Job[Ended]") -> str:
        """SLURM's state of a job now, in one word."""
        return job.get_info(mode="force").get("State", "UNKNOWN").split(" ")[0]  # "CANCELLED by 1000"

    def _look(self) -> None:
        """Moves tasks that have ended from those submitted to the ends."""
        now = time.monotonic()
        if not self._local and self._submitted and now - self._state_asked > STATE_SECONDS:
            self._state_asked = now
            self._submitted[0].job.watcher.update()
        for submitted in list(self._submitted):
            end = self._end(submitted, now)
            if end is not None:
                self._submitted.remove(submitted)
                self._ends.append(end)
                self._note(submitted.task).unlink(missing_ok=True)
                self._stop_file(submitted.task).unlink(missing_ok=True)

    def _end(self, submitted: _Submitted, now: float) -> End | None:
        """How a task has ended, None while it has not."""
        job = submitted.job
        preempted = not self._local and job.get_info(mode="cache").get("State") == "PREEMPTED"
        if not job.done() and not preempted:  # submitit takes that for a job that SLURM will requeue
            return None
        if job.paths.result_pickle.exists():
            try:
                return self._told(submitted, job.result())
            except Exception as error:  # submitit's, with the whole traceback
                lines = [line for line in str(error).splitlines() if line and not line.startswith(("---", "You can"))]
                return End(submitted.task, 1, f"{lines[-1] if lines else error}; see {job.paths.stderr}")
        if submitted.lost is None:
            submitted.lost = now
        if not self._local and submitted.stops < 2 and now - submitted.lost < RESULT_SECONDS:
            return None
        return self._untold(submitted)

    def _told(self, submitted: _Submitted, ended: Ended) -> End:
        """How a task has ended whose worker lived to tell."""
        reason = ""
        if submitted.stops:
            reason = CANCELLED
        elif ended.asked:
            limit = 60 * self._options["time"] - self._options["save_seconds"] - EARLY_SECONDS
            state = "" if self._local else self._state(submitted.job)
            reason = STATES[state][0] if state in STATES else OUT_OF_TIME if ended.seconds >= limit else PREEMPTED
        elif ended.of_memory:
            reason = OUT_OF_MEMORY
        return End(submitted.task, ended.code, reason)

    def _untold(self, submitted: _Submitted) -> End:
        """How a task has ended whose worker did not live to tell."""
        job = submitted.job
        state = job.state if self._local else self._state(job)
        reason, number = STATES.get(state, ("", 0))
        if submitted.stops:
            reason, number = CANCELLED, signal.SIGKILL if submitted.stops > 1 else signal.SIGTERM
        if reason:
            return End(submitted.task, -number, reason)
        return End(submitted.task, 1, f"its worker ended without a result (state {state}); see {job.paths.stderr}")

    # Stops.

    def _stop(self, submitted: _Submitted) -> None:
        submitted.stops += 1
        first = submitted.stops == 1
        self._stop_file(submitted.task).touch()
        self._state_asked = -STATE_SECONDS  # one that still waited leaves no result
        if self._local:
            self._stop_local(submitted.job, kill=not first)
            return
        self._cancel(submitted.job, "--state=PENDING")
        self._cancel(submitted.job, "--signal=TERM" if first else "--signal=KILL")

    def _stop_local(self, job: "Job[Ended]", *, kill: bool) -> None:
        """Reaches the worker through submitit's process beside it, which is asked by SIGINT to kill."""
        if kill:
            job.cancel()
        elif not job.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(job.job_id), signal.SIGTERM)

    def _cancel(self, job: "Job[Ended]", option: str) -> None:
        """Asks SLURM; that a job has ended meanwhile is no fault."""
        subprocess.run(["scancel", option, job.job_id], capture_output=True, check=False)
