"""The search itself: draws trials, runs them as jobs, stops bad ones early, and can be taken up again at any point."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.search.beginning import Beginning, begin
from s2s_lab.sweeps.search.carry import carry
from s2s_lab.sweeps.search.parts import Ended, HigherIsBetter, OpenEngine, Prepare, ProgressOf, Runner
from s2s_lab.sweeps.search.pruning import pruner_for, report
from s2s_lab.sweeps.search.samplers import sampler_for
from s2s_lab.sweeps.search.settings import SearchSettings
from s2s_lab.sweeps.search.space import Drawn
from s2s_lab.sweeps.search.storage import (
    JOURNAL,
    budget_used,
    draws,
    held,
    open_storage,
    open_study,
    recover,
)
from s2s_lab.sweeps.search.suggestion import suggest
from s2s_lab.sweeps.search.summary import Summary, best_so_far, shown_values, summarise

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial


def search(
    prepare: Prepare,
    open_engine: OpenEngine,
    words: Sequence[str],
    settings: SearchSettings,
    *,
    higher_is_better: HigherIsBetter,
    progress_of: ProgressOf,
    say: Callable[[str], object] = print,
    search_path: Sequence[str] = (),
) -> Summary:
    """Searches, or goes on with the search that the same words and settings began.

    Args:
        prepare: composes, checks and freezes jobs.
        open_engine: opens the engine that runs them.
        words: overrides of the command line, searched and fixed, without Hydra's own.
        settings: of the search.
        higher_is_better: direction of the monitored score of a job.
        progress_of: validations of a run, read from its folder.
        say: shows one line.
        search_path: the word of Hydra's search path, where there are options of one's own.

    Returns:
        What was found.

    Raises:
        RequestError: if the request is wrong, or too many combinations in a row cannot be built or are refused by
            their jobs.
        RunError: if no trial has a value, or some were interrupted.
    """
    beginning = replace(begin(prepare, words, settings, higher_is_better, say), search_path=tuple(search_path))
    path = beginning.experiment / JOURNAL
    with held(beginning.experiment):
        storage = open_storage(path)
        study = open_study(
            storage,
            path,
            beginning.definition,
            [objective.direction for objective in beginning.objectives],
            accept_changed=settings.accept_changed,
            carry=functools.partial(carry, space=beginning.space),
        )
        again = recover(storage, study)
        used = budget_used(study)
        if used or again:
            say(f"the search in {path} goes on: {used} of {settings.trials} trials are done, {again} interrupted")
        points = len(beginning.space.grid()) if settings.sampler == "grid" else settings.trials
        with open_engine(min(settings.trials, points)) as engine:
            engine.expect(beginning.samples)
            engine.announce(beginning.samples, done=used)
            running = Search(study, engine, prepare, beginning, settings, progress_of, say)
            try:
                running.run()
            except KeyboardInterrupt:
                done = f"after {running.used} of {settings.trials} trials"
                say(f"the search was interrupted {done}; the same command goes on with it")
                summarise(study, beginning, settings)
                raise
        found = summarise(study, beginning, settings)
        for line in found.lines:
            say(line)
        if running.flights or running.interrupted:
            raise RunError(f"{running.interrupted} trials were interrupted; the same command goes on with them")
        if engine.halted:
            raise RunError("a failure ended the search (hydra.launcher.on_failure=stop); the same command goes on")
        if not found.best:
            raise RunError(f"no trial of the search has a value; why is said above and in {path}")
        return found


@dataclass
class Flight:
    """One job that runs, and the trials that wait for it.

    Attributes:
        trials: the one it was started for, then others that drew the same job.
        seen: how many of its validations were told.
        stopping: whether it was asked to end early.
    """

    job: FrozenJob
    trials: list["Trial"]
    seen: int = 0
    stopping: bool = False


@dataclass
class Search:
    """One process's work on a search.

    Attributes:
        study: Optuna's; recovered.
        engine: runs the jobs.
        prepare: composes, checks and freezes jobs.
        beginning: what is searched, and for what.
        settings: of the search.
        progress_of: validations of a run.
        say: shows one line.
        used: how much of the budget is used.
        flights: the running jobs by their hash.
        interrupted: trials whose jobs were interrupted; they wait for the next process.
    """

    study: "Study"
    engine: Runner
    prepare: Prepare
    beginning: Beginning
    settings: SearchSettings
    progress_of: ProgressOf
    say: Callable[[str], object]
    used: int = 0
    flights: dict[str, Flight] = field(default_factory=dict)
    interrupted: int = 0
    _refused: int = 0
    _turned_away: int = 0
    _known: dict[str, int] = field(default_factory=dict)
    _refusals: dict[tuple[str, ...], str] = field(default_factory=dict)
    _grid: list[Drawn] | None = None
    _exhausted: bool = False

    def __post_init__(self) -> None:
        self.used = budget_used(self.study)
        self._begun = len(self.study.get_trials(deepcopy=False))
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state.is_finished() and trial.user_attrs.get("outcome") in ("finished", "stopped", "failed"):
                self._known.setdefault(trial.user_attrs.get("job_hash", ""), trial.number)
        if self.settings.sampler == "grid":
            self._grid = self.beginning.space.grid()
        objectives = self.beginning.objectives
        self._watched = len(objectives) == 1 and objectives[0].monitored
        self._judged = self._watched and self.settings.pruning.method != "none"
        self.study.pruner = pruner_for(self.settings.pruning, self.beginning.max_steps)

    def run(self) -> None:
        """Runs trials until the budget is used up, or the grid is done.

        Raises:
            RequestError: if too many combinations in a row cannot be built, or too many jobs are refused.
        """
        while True:
            while self._more() and self.engine.has_room():
                self._next()
                for ended in self.engine.wait(0.0):  # a job that was finished before ends at once
                    self._end(ended)
            if not self.flights and (self.engine.halted or not self._more()):
                return
            for ended in self.engine.wait(self.settings.poll_seconds):
                self._end(ended)
            if self._judged:
                self._judge()

    def _more(self) -> bool:
        flying = sum(len(flight.trials) for flight in self.flights.values())
        return not self._exhausted and self.used + flying + self.interrupted < self.settings.trials

    def _next(self) -> None:
        """Draws one trial and starts its job, unless its value is known or it cannot be built."""
        if self._grid is not None and not self._waiting():
            point = self._first_left(self._grid)
            if point is None:
                self._exhausted = True
                return
            self.study.enqueue_trial(dict(point.values))
        self.study.sampler = sampler_for(self.settings, draws(self.study))
        trial = self.study.ask()
        drawn = self.beginning.space.draw(lambda dimension: suggest(trial, dimension))
        trial.set_user_attr("words", drawn.shown)
        try:
            job = self._job(drawn)
        except RequestError as error:
            self._refuse(trial, drawn, str(error))
            return
        self._refused = 0
        trial.set_user_attr("job_hash", job.hash)
        if job.hash in self._known:
            self._repeat(trial, self._known[job.hash])
        elif job.hash in self.flights:
            self.flights[job.hash].trials.append(trial)
        else:
            self.flights[job.hash] = Flight(job, [trial])
            self.engine.start(job)

    def _first_left(self, grid: Sequence[Drawn]) -> Drawn | None:
        """The first point that no trial has drawn, of this definition of the search or of one before.

        What an earlier process refused is tried again: what it lacked may be there now.
        """
        drawn = set()
        for trial in self.study.get_trials(deepcopy=False):
            outcome = trial.user_attrs.get("outcome")
            if outcome not in ("requeued", "void") and (outcome != "refused" or trial.number >= self._begun):
                drawn.add(frozenset(trial.user_attrs.get("words", ())))
        return next((point for point in grid if frozenset(point.shown) not in drawn), None)

    def _waiting(self) -> bool:
        from optuna.trial import TrialState

        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def _job(self, drawn: Drawn) -> FrozenJob:
        words = tuple(drawn.words)
        if words in self._refusals:
            raise RequestError(self._refusals[words])
        try:
            (job,) = self.prepare([drawn.words])
            self.beginning.check(job)
        except RequestError as error:
            self._refusals[words] = str(error)
            raise
        return job

    def _refuse(self, trial: "Trial", drawn: Drawn, reason: str) -> None:
        self._tell(trial, "refused", reason=reason)
        self.say(f"trial {trial.number + 1} cannot be built: {reason} | {' '.join(drawn.shown)}")
        self._refused += 1
        if self._refused >= self.settings.refused_in_a_row:
            raise RequestError(
                f"{self._refused} drawn combinations in a row cannot be built; the last one, {' '.join(drawn.shown)}: "
                f"{reason} (hydra.sweeper.spaces ties keys to the choices that have them)"
            )

    def _repeat(self, trial: "Trial", origin: int) -> None:
        """Tells a trial what another one with the same job has reached."""
        known = self.study.get_trials(deepcopy=False)[origin]
        trial.set_user_attr("same_as", origin)
        for step, value in known.intermediate_values.items():
            trial.report(value, step)
        facts = {key: known.user_attrs[key] for key in ("reason", "run") if key in known.user_attrs}
        values = known.values if known.user_attrs["outcome"] == "finished" else None
        self._tell(trial, known.user_attrs["outcome"], values, **facts)
        self._announce(trial.number, f", as trial {origin + 1}")

    def _end(self, ended: Ended) -> None:
        """Tells the trials of a job how it ended."""
        flight = self.flights.pop(ended.job.hash)
        if ended.status == "interrupted" or (ended.status == "stopped" and not flight.stopping):
            self.interrupted += len(flight.trials)
            self.say(f"trial {flight.trials[0].number + 1} was interrupted: {ended.reason or 'another one failed'}")
            return
        first, *others = flight.trials
        facts: dict[str, Any] = {"run": ended.folder.path.name} if ended.folder is not None else {}
        outcome, reason, values = ended.status, ended.reason, None
        if ended.folder is not None and self._watched and outcome in ("finished", "stopped"):
            flight.seen, _ = report(first, self.progress_of(ended.folder), flight.seen, judge=False)
        if outcome == "finished":
            assert ended.folder is not None
            try:
                values = self._values(ended.folder)
            except RequestError as error:
                outcome, reason = "failed", str(error)
        if reason:
            facts["reason"] = reason
        self._tell(first, outcome, values, **facts)
        if outcome != "refused":
            self._known[ended.job.hash] = first.number
        self._announce(first.number)
        for trial in others:
            if outcome == "refused":
                self._tell(trial, outcome, **facts)
            else:
                self._repeat(trial, first.number)
        self._turned_away = self._turned_away + 1 if outcome == "refused" else 0
        if self._turned_away >= self.settings.refused_in_a_row:
            words = " ".join(self.study.get_trials(deepcopy=False)[first.number].user_attrs["words"])
            raise RequestError(f"{self._turned_away} jobs in a row were refused; the last one, {words}: {reason}")

    def _values(self, folder: RunFolder) -> list[float]:
        facts = folder.read()
        return [objective.value(facts) for objective in self.beginning.objectives]

    def _judge(self) -> None:
        """Stops the running trials that are not worth their time."""
        for running in self.engine.running():
            flight = self.flights.get(running.job.hash)
            if flight is None or flight.stopping:
                continue
            progress = self.progress_of(running.folder)
            flight.seen, flight.stopping = report(flight.trials[0], progress, flight.seen, judge=True)
            if flight.stopping:
                self.engine.stop(flight.job)

    def _tell(self, trial: "Trial", outcome: str, values: Sequence[float] | None = None, **facts: Any) -> None:
        from optuna.trial import TrialState

        for key, value in {**facts, "outcome": outcome}.items():
            trial.set_user_attr(key, value)
        state = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED}.get(outcome, TrialState.FAIL)
        self.study.tell(trial.number, values, state)
        self.used += outcome != "refused"

    def _announce(self, number: int, remark: str = "") -> None:
        """One line about a trial that has ended, and the best so far."""
        trial = self.study.get_trials(deepcopy=False)[number]
        objectives, outcome = self.beginning.objectives, trial.user_attrs["outcome"]
        if outcome == "finished":
            told = shown_values(trial, objectives)
        elif outcome == "stopped":
            told = "stopped early" + (f" at step {trial.last_step}" if trial.last_step is not None else "")
            if trial.last_step is not None:
                told += f", {objectives[0].name} {trial.intermediate_values[trial.last_step]:.5g}"
        else:
            told = f"{outcome}: {trial.user_attrs.get('reason', 'its log says why')}"
        words = " ".join(trial.user_attrs["words"])
        best = best_so_far(self.study.get_trials(deepcopy=False), objectives)
        self.say(f"trial {number + 1} ({self.used} of {self.settings.trials}): {told}{remark}{best} | {words}")
