"""Hydra's part of a sweep: the launcher of `-m`, and the sweeper that expands its words."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from s2s_lab.faults import RequestError, RunError
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.outcome import Outcome
from s2s_lab.sweeps.plugins import PLUGINS
from s2s_lab.sweeps.run_jobs import run_jobs


class LabLauncher(Launcher):
    """hydra/launcher=lab: every job is one process from one frozen configuration.

    Args:
        node: the keys of EngineSettings.

    Attributes:
        settings: What the sweep is told about how to run its jobs.
        task_function: Has `prepare(list of lists of words)`, which gives checked and frozen jobs.
    """

    __module__ = PLUGINS

    def __init__(self, **node: Any) -> None:
        super().__init__()
        self._node = {key: _plain(value) for key, value in node.items()}
        self.settings = EngineSettings()
        self.task_function: Any = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Takes what Hydra hands to every launcher.

        Raises:
            RequestError: if a key of the node is unknown, or has a wrong value.
        """
        self.settings = EngineSettings.of(self._node)
        self.task_function = task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs all jobs to their end.

        Raises:
            RequestError: if jobs were refused.
            RunError: if jobs failed.
            KeyboardInterrupt: after an interrupt; the same command goes on.
        """
        jobs = self.task_function.prepare([list(words) for words in job_overrides])
        with Engine(self.settings, total=len(jobs)) as engine:
            outcomes = run_jobs(engine, jobs)
        raise_for(outcomes, total=len(jobs))
        return [JobReturn(overrides=words, _return_value=None, status=JobStatus.COMPLETED) for words in job_overrides]


class LabSweeper(BasicSweeper):
    """hydra/sweeper=lab: expands values with commas; what it expands to was composed and checked before."""

    __module__ = PLUGINS

    def __init__(self, **options: Any) -> None:
        super().__init__(max_batch_size=None)
        self.options = options

    def sweep(self, arguments: list[str]) -> Any:
        """Hands all jobs to the launcher at once; each was composed and checked before Hydra was entered.

        Raises:
            RequestError: if there are settings, which only a search has.
        """
        if self.options:
            raise RequestError(
                f"hydra.sweeper.{next(iter(self.options))} belongs to a search; add hydra/sweeper=optuna or "
                "hydra/sweeper=wandb to the command line"
            )
        assert self.launcher is not None
        (jobs,) = self.split_arguments(OverridesParser.create().parse_overrides(arguments), max_batch_size=None)
        return [self.launcher.launch(jobs, initial_job_idx=0)]


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def raise_for(outcomes: Sequence[Outcome], *, total: int) -> None:
    """Raises what the outcomes of a sweep come to.

    Raises:
        KeyboardInterrupt: if a job was interrupted.
        RunError: if jobs failed, and perhaps others were refused.
        RequestError: if jobs were refused.
    """
    if any(outcome.status == "interrupted" for outcome in outcomes):
        raise KeyboardInterrupt
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    bad = failed + [outcome for outcome in outcomes if outcome.status == "refused"]
    if bad:
        kind = RunError if failed else RequestError
        left = total - len(outcomes)
        stopped = f", {left} were not started" if left else ""
        first = f"{len(bad)} of {total} jobs failed{stopped}; one of them: {bad[0].job.label}: {bad[0].reason}"
        raise kind(first if total > 1 else f"{bad[0].reason}")
