"""The Hydra sweeper of hydra/sweeper=wandb: writes a W&B sweep, or runs what W&B suggests."""

import contextlib
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.durable import write_durably
from s2s_lab.sweeps.plugins import PLUGINS
from s2s_lab.sweeps.progress import progress_of
from s2s_lab.sweeps.search.beginning import Beginning, begin
from s2s_lab.sweeps.search.parts import Ended, HigherIsBetter, OpenEngine, Prepare, ProgressOf, Runner
from s2s_lab.sweeps.search.settings import read_settings
from s2s_lab.sweeps.search.sweeper import EngineSweeper
from s2s_lab.sweeps.search.wandb_space import METHODS, agent_words, drawn_from, sweep_configuration

FILE = "wandb-sweep.yaml"
OF_A_SWEEPS_RUN = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH")
"""What W&B's agent sets for its own run; a job that inherited it would write into that run."""
FAILURES_IN_A_ROW = 10


@dataclass(frozen=True)
class WandbSettings:
    """hydra.sweeper of hydra/sweeper=wandb.

    Attributes:
        dry_run: whether the configuration is only written.
        method: bayes, random or grid.
        trials: runs of the sweep in all.
        params: space or value by key, as on the command line.
        spaces: further spaces by the choice that they belong to.
        objective: the monitored score where None.
        early_terminate: whether W&B ends bad runs by Hyperband.
        name: shown name of the sweep.
        project: W&B project.
        entity: W&B team or user.
        sweep_id: of a sweep that is registered.
    """

    dry_run: bool = True
    method: str = "bayes"
    trials: int = 20
    params: Mapping[str, Any] | None = None
    spaces: Mapping[str, Any] | None = None
    objective: Any = None
    early_terminate: bool = False
    name: str | None = None
    project: str = "s2s_lab"
    entity: str | None = None
    sweep_id: str | None = None


class WandbSweep(EngineSweeper):
    """hydra/sweeper=wandb."""

    __module__ = PLUGINS

    def sweep(self, arguments: list[str]) -> Any:
        """Writes the sweep's configuration; registers it and runs its suggestions unless dry_run.

        Args:
            arguments: the words of the command line without Hydra's own.

        Raises:
            RequestError: if the request is wrong.
            RunError: if W&B cannot be reached.
        """
        return wandb_sweep(
            self.prepare,
            self.open_engine,
            arguments,
            read_wandb_settings(self.settings),
            higher_is_better=self.task.higher_is_better,
            progress_of=progress_of,
        )


def read_wandb_settings(node: Mapping[str, Any]) -> WandbSettings:
    """Checks the settings of a W&B sweep.

    Raises:
        RequestError: naming the first key that is unknown or whose value is none of its kind.
    """
    known = [item.name for item in fields(WandbSettings)]
    for key in node:
        if key not in known:
            raise RequestError(f"unknown key hydra.sweeper.{key}; one of {', '.join(known)} is expected")
    settings = WandbSettings(**node)
    if settings.method not in METHODS:
        raise RequestError(f"hydra.sweeper.method={settings.method}: one of {', '.join(METHODS)} is expected")
    for key in ("dry_run", "early_terminate"):
        if not isinstance(getattr(settings, key), bool):
            raise RequestError(f"hydra.sweeper.{key}={getattr(settings, key)}: true or false is expected")
    for key in ("name", "project", "entity", "sweep_id"):
        value = getattr(settings, key)
        if not (isinstance(value, str) or (value is None and key != "project")):
            raise RequestError(f"hydra.sweeper.{key}={value}: text is expected")
    return settings


def wandb_sweep(
    prepare: Prepare,
    open_engine: OpenEngine,
    words: Sequence[str],
    settings: WandbSettings,
    *,
    higher_is_better: HigherIsBetter,
    progress_of: ProgressOf,
    say: Callable[[str], object] = print,
) -> dict[str, Any]:
    """Writes a W&B sweep and, unless `dry_run`, runs what W&B suggests.

    Args:
        prepare: composes, checks and freezes jobs.
        open_engine: opens the engine that runs them.
        words: overrides of the command line, searched and fixed, without Hydra's own.
        settings: of the sweep.
        higher_is_better: direction of the monitored score of a job.
        progress_of: validations of a run, read from its folder.
        say: shows one line.

    Returns:
        The sweep's configuration.

    Raises:
        RequestError: if the request is wrong.
        RunError: if W&B cannot be reached.
    """
    objectives = None if settings.objective is None else [settings.objective]
    shared = {"trials": settings.trials, "params": settings.params, "spaces": settings.spaces, "objectives": objectives}
    beginning = begin(prepare, words, read_settings({**shared, "sampler": "random"}), higher_is_better, say)
    command = shlex.join(agent_words(words))
    configuration = sweep_configuration(
        beginning.space,
        beginning.objectives[0],
        method=settings.method,
        trials=settings.trials,
        name=settings.name or beginning.experiment.name,
        early_terminate=settings.early_terminate,
    )
    text = yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True, width=120)
    head = f"# Registered and run by: {command}\n# Each further machine: {command} hydra.sweeper.sweep_id=ID\n"
    path = _write(beginning.experiment, head + text)
    say(f"{head}{text}".rstrip())
    say(f"written to {path}")
    if not settings.dry_run:
        with open_engine(settings.trials) as engine:
            engine.expect(beginning.samples)
            _run_agent(Agent(engine, prepare, beginning, progress_of, say), configuration, settings, say)
    return configuration


def _write(experiment: Path, text: str) -> Path:
    path = experiment / FILE
    try:
        experiment.mkdir(parents=True, exist_ok=True)
        write_durably(path, lambda file: file.write(text))
    except OSError as error:
        raise RequestError(f"{path}: cannot be written ({error.strerror})") from None
    return path


def _run_agent(
    agent: "Agent", configuration: dict[str, Any], settings: WandbSettings, say: Callable[[str], object]
) -> None:
    """Registers the sweep, unless it is, and runs suggestions until W&B has no more."""
    import wandb

    place = {"project": settings.project, "entity": settings.entity}
    try:
        sweep_id = settings.sweep_id or wandb.sweep(configuration, **place)
        say(f"W&B sweep {sweep_id}")
        wandb.agent(sweep_id, function=agent.run_one, **place, max_consecutive_failed_runs=FAILURES_IN_A_ROW)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise RunError(f"W&B: the sweep cannot go on ({type(error).__name__}: {reason[:200]})") from error
    if not agent.finished:
        raise RunError(f"W&B sweep {sweep_id}: none of its runs here has finished; why is said above")


@dataclass
class Agent:
    """Runs W&B's suggestions, one after the other, as jobs of the laboratory.

    W&B's run of a suggestion holds its validations, its objective and the name of the run folder; the job has its own
    folder and tracker as always.

    Attributes:
        engine: runs the jobs.
        prepare: composes, checks and freezes jobs.
        beginning: what is searched, and for what.
        progress_of: validations of a run.
        say: shows one line.
        finished: how many jobs have reached their end.
    """

    engine: Runner
    prepare: Prepare
    beginning: Beginning
    progress_of: ProgressOf
    say: Callable[[str], object]
    finished: int = 0

    def run_one(self) -> None:
        """Runs one suggestion, which W&B's agent has prepared.

        Raises:
            RequestError: if the suggestion is none of this space, or cannot be built.
            RunError: if its job fails.
        """
        import wandb

        discreet = wandb.Settings(disable_git=True, disable_code=True, host="", x_disable_meta=True)
        with wandb.init(settings=discreet) as run:
            with _hidden(OF_A_SWEEPS_RUN):
                drawn = drawn_from(self.beginning.space, dict(run.config))
                (job,) = self.prepare([drawn.words])
                self.beginning.check(job)
                self.engine.start(job)
                try:
                    ended = self._followed(run)
                except BaseException:  # W&B ends a run by an exception in its thread
                    self.engine.stop(job)
                    while not self.engine.wait(1.0):
                        pass
                    raise
            self._record(run, ended, drawn.shown)

    def _followed(self, run: Any) -> Ended:
        """Logs the validations of the one job that runs until it ends."""
        seen, watched = 0, self.beginning.objectives[0].monitored
        while True:
            ended = self.engine.wait(1.0)
            folders = [end.folder for end in ended] or [running.folder for running in self.engine.running()]
            for folder in folders:
                history = list(self.progress_of(folder).history)[seen:] if watched and folder is not None else []
                for step, value in history:
                    run.log({self.beginning.monitor: value, "step": step})
                seen += len(history)
            if ended:
                return ended[0]

    def _record(self, run: Any, ended: Ended, shown: Sequence[str]) -> None:
        """Writes what a job has reached into W&B's run."""
        told = " ".join(shown)
        if ended.status != "finished" or ended.folder is None:
            self.say(f"{ended.status}: {ended.reason} | {told}")
            raise RunError(f"{told}: {ended.status}: {ended.reason}")
        objective = self.beginning.objectives[0]
        value = objective.value(ended.folder.read())
        self.finished += 1
        run.summary.update({objective.name: value, "run_folder": ended.folder.path.name})
        self.say(f"{objective.name} {value:.5g} | {told}")


@contextlib.contextmanager
def _hidden(names: Sequence[str]) -> Any:
    """Takes variables out of the environment while the block lasts."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
