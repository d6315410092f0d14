"""What a sweep shows of itself: a live table on a terminal, a line for each event elsewhere."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.counted import counted
from s2s_lab.sweeps.outcome import Outcome
from s2s_lab.sweeps.progress import Progress, progress_of

if TYPE_CHECKING:
    from s2s_lab.sweeps.engine import Running

LIVE_SECONDS = 1.0
LINE_SECONDS = 60.0
"""Between two lines on the progress where there is no terminal."""
MOST_WAITING = 5
"""Jobs that the table names of those that have not begun."""


class Display:
    """The progress of one sweep; a context manager.

    Args:
        total: jobs of the sweep.
        program: the command's name, before messages on standard error.
        console: where the table is drawn; standard output by default.
    """

    def __init__(self, *, total: int, program: str = "s2s-train", console: Console | None = None) -> None:
        self.total, self.program = total, program
        self.console = console or Console(soft_wrap=True, highlight=False)
        self.seconds: list[float] = []
        self.ended_jobs = self.failed = self.before = 0
        self.best: dict[str, tuple[float, str]] = {}
        self.words: frozenset[str] = frozenset()
        self._live: Live | None = None
        self._last = time.monotonic()
        self._started: dict[str, float] = {}
        self._waiting: dict[str, FrozenJob] = {}
        self._at_once = 1
        self._untold = False

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _begin(self) -> None:
        """Begins to draw on a terminal: not before there is something to show, for until then questions are asked."""
        if self._live is None and self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4, transient=True)
            self._live.start()

    def plan(
        self,
        jobs: Sequence[FrozenJob],
        *,
        at_once: int,
        cores: int,
        done: int,
        seconds: float | None,
        drawn: bool = False,
    ) -> None:
        """Says what is about to happen; how long it takes later where that is not known yet.

        Args:
            jobs: of the sweep.
            at_once: how many run at a time.
            cores: of each.
            done: how many have finished before.
            seconds: that like jobs took, or None where none is known.
            drawn: whether the jobs are those of a search, for which `jobs` stand as examples.
        """
        self._begin()
        labels = [set(job.label.split()) for job in jobs]
        self.words = frozenset(set.intersection(*labels)) if len(labels) > 1 else frozenset()
        self._at_once = at_once
        if drawn:
            self.before = done
        else:
            self._waiting = {job.hash: job for job in jobs}
        left = self.total - done
        self._untold = seconds is None and left > 0
        parts = [counted(self.total, "job") + (f", {done} of them done before" if done else "")]
        parts.append(f"{at_once} at a time with {counted(cores, 'core')} each")
        if seconds is not None and left:
            parts.append(f"about {_time(seconds * -(-left // at_once))}")
        folders = dict.fromkeys(str(job.experiment) for job in jobs)
        self._print(f"{', '.join(parts)}, {'folder' if len(folders) == 1 else 'folders'} {', '.join(folders)}")

    def started(self, job: FrozenJob, folder: RunFolder, *, resume: bool) -> None:
        """A job starts."""
        self._begin()
        self._started.setdefault(job.hash, time.monotonic())
        self._waiting.pop(job.hash, None)
        number = self.before + self.failed + self.ended_jobs + len(self._started)
        again = " goes on" if resume else ""
        self._print(f"run {folder.path}{again} ({min(number, self.total)} of {self.total})")

    def waits(self, job: FrozenJob, folder: RunFolder) -> None:
        """A job waits for another process that trains in its folder."""
        self._print(f"{self._name(job)}: waits for the process that trains in {folder.path}")

    def finished_before(self, job: FrozenJob, folder: RunFolder) -> None:
        """A job needs no run."""
        self.before += 1
        self._waiting.pop(job.hash, None)
        note_best(self.best, self._name(job), progress_of(folder))
        self._print(f"finished before: {self._name(job)}  {folder.path}")

    def again(self, job: FrozenJob, reason: str, *, attempt: int) -> None:
        """A job failed and is tried again."""
        self._complain(f"{self._name(job)}: attempt {attempt} failed ({reason}); it goes on from its last checkpoint")

    def ended(self, outcome: Outcome) -> None:
        """A job has ended."""
        took = time.monotonic() - self._started.pop(outcome.job.hash, time.monotonic())
        self._waiting.pop(outcome.job.hash, None)
        name = self._name(outcome.job)
        if outcome.status == "finished":
            self.ended_jobs += 1
            self.seconds.append(took)
            progress = progress_of(outcome.folder) if outcome.folder else Progress()
            note_best(self.best, self._name(outcome.job), progress)
            self._print(f"finished: {name}  {_score(progress)}  {_time(took)}")
        elif outcome.status in ("failed", "refused"):
            self.failed += 1
            place = f"; see {outcome.folder.error_file}" if outcome.folder else ""
            memory = " (out of memory)" if outcome.out_of_memory and "memory" not in outcome.reason else ""
            self._complain(f"{name} {outcome.status}{memory}: {outcome.reason}{place}")
        elif outcome.status == "stopped":
            self._print(f"stopped, {outcome.reason or 'its state is saved'}: {name}")
        else:
            self._complain(f"{name} was interrupted; the same command goes on with it")

    def refresh(self, running: Sequence["Running"]) -> None:
        """Draws the table anew, or prints a line when the last one is a minute old.

        How long it takes is told once it is known, where the plan could not say it.
        """
        if self._untold and (left := self._left(running)) is not None:
            self._untold = False
            self._print(f"about {_time(left)} left, by the pace of the first jobs")
        if self._live is not None:
            self._live.update(self._table(running))
        elif time.monotonic() - self._last >= LINE_SECONDS and running:
            self._print(self._summary(running))

    def _table(self, running: Sequence["Running"]) -> Group:
        table = Table(box=None, pad_edge=False, show_header=False)
        for item in running:
            progress = progress_of(item.folder)
            bar = ProgressBar(total=max(1, progress.total_steps or 1), completed=progress.step, width=20)
            steps = f"{progress.step}/{progress.total_steps or '?'}"
            since = _time(time.monotonic() - item.since)
            table.add_row(escape(self._name(item.job)), bar, steps, escape(_score(progress)), since)
        for job in list(self._waiting.values())[:MOST_WAITING]:
            table.add_row(escape(self._name(job)), "", "", "", "waits", style="dim")
        if len(self._waiting) > MOST_WAITING:
            table.add_row(f"and {len(self._waiting) - MOST_WAITING} more", "", "", "", "wait", style="dim")
        return Group(table, Text(self._summary(running), style="dim"))

    def _summary(self, running: Sequence["Running"]) -> str:
        done = self.ended_jobs + self.before
        parts = [f"{done} of {self.total} done", f"{len(running)} running"]
        parts += [f"{self.failed} failed"] if self.failed else []
        best = dict(self.best)
        for item in running:
            note_best(best, self._name(item.job), progress_of(item.folder))
        parts += [f"best {monitor} {value:.4g} ({name})" for monitor, (value, name) in best.items()]
        left = self._left(running)
        parts += [f"about {_time(left)} left"] if left is not None else []
        return ", ".join(parts)

    def _left(self, running: Sequence["Running"]) -> float | None:
        """Seconds to the end: what runs by its steps, what waits by the mean of what has ended."""
        now, whole, rests, begun = time.monotonic(), list(self.seconds), list[float](), list[tuple[float, float]]()
        for item in running:
            progress = progress_of(item.folder)
            done, total = progress.step - item.step, progress.total_steps or 0
            if total and done > 0.02 * total and progress.pace is not None:
                whole.append(progress.pace * total)
                rests.append(progress.pace * (total - progress.step))
            else:
                begun.append((item.step / total if total else 0.0, now - item.since))
        if not whole:
            return None
        mean = sum(whole) / len(whole)
        waiting = self.total - self.ended_jobs - self.before - self.failed - len(running)
        rests += (max(0.0, mean * (1.0 - before) - elapsed) for before, elapsed in begun)
        rest = sum(rests) + max(0, waiting) * mean
        return rest / max(1, len(running) or self._at_once)

    def _name(self, job: FrozenJob) -> str:
        """The label without the words that all jobs share."""
        own = [word for word in job.label.split() if word not in self.words]
        return " ".join(own) or str(job.settings["name"])

    def _print(self, line: str) -> None:
        self._last = time.monotonic()
        self.console.print(escape(line), soft_wrap=True)

    def _complain(self, line: str) -> None:
        text = f"{self.program}: {' '.join(line.split())}"
        if self._live is not None:
            self.console.print(f"[red]{escape(text)}[/]", soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)


def note_best(best: dict[str, tuple[float, str]], name: str, progress: Progress) -> None:
    """Keeps the best value so far of each monitored metric: values of different metrics are never compared.

    Args:
        best: metric -> (value, name of its job), changed in place.
        name: of a job.
        progress: of that job.
    """
    if progress.best is None:
        return
    monitor = progress.monitor.removeprefix("validation/")
    known = best.get(monitor)
    if known is None or (progress.best != known[0] and (progress.best > known[0]) == progress.higher_is_better):
        best[monitor] = (progress.best, name)


def _score(progress: Progress) -> str:
    if progress.best is None:
        return ""
    return f"{progress.monitor.removeprefix('validation/')} {progress.best:.4g}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
