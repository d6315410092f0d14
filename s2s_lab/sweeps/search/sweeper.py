"""The Hydra sweeper of hydra/sweeper=optuna: hands words, settings, launcher and task to the search."""

from collections.abc import Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.plugins import PLUGINS
from s2s_lab.sweeps.progress import progress_of
from s2s_lab.sweeps.search.settings import read_settings


class EngineSweeper(Sweeper):
    """What the sweepers of the laboratory share: plain settings, and the launcher whose engine runs the jobs.

    The task function has `prepare`, which composes, checks and freezes jobs, and `higher_is_better`, which knows the
    direction of a job's monitored score.

    Args:
        settings: the keys of the sweeper's section.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings: dict[str, Any] = {key: plain(value) for key, value in settings.items()}
        self.task: Any = None
        self.launcher: Any = None
        self.search: list[str] = []

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Takes the task, and makes the launcher."""
        self.task = task_function
        own = [str(place) for place in config.hydra.searchpath]
        given = [item.path for item in hydra_context.config_loader.get_search_path().get_path()
                 if item.provider == "command-line"]  # fmt: skip
        self.search = [f"hydra.searchpath=[{','.join([*own, *given])}]"] if own or given else []
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def prepare(self, jobs: Sequence[Sequence[str]]) -> Sequence[FrozenJob]:
        """Composes, checks and freezes one job for each list of words, with the user's own options.

        Raises:
            RequestError: if one cannot be built.
        """
        return self.task.prepare(jobs, search=self.search) if self.search else self.task.prepare(jobs)

    def open_engine(self, total: int) -> Any:
        """The engine that runs the jobs.

        Args:
            total: how many there are in all.
        """
        return Engine(self.launcher.settings, total=total)


class OptunaSearch(EngineSweeper):
    """hydra/sweeper=optuna."""

    __module__ = PLUGINS

    def sweep(self, arguments: list[str]) -> Any:
        """Searches.

        Args:
            arguments: the words of the command line without Hydra's own.

        Raises:
            RequestError: if the request is wrong.
            RunError: if no trial has a value, or some were interrupted.
        """
        from s2s_lab.sweeps.search.search import search

        return search(
            self.prepare,
            self.open_engine,
            arguments,
            read_settings(self.settings),
            higher_is_better=self.task.higher_is_better,
            progress_of=progress_of,
            search_path=self.search,
        )


def plain(value: Any) -> Any:
    """A section of Hydra's as plain containers."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
