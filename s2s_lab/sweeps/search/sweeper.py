"""The Hydra sweeper of hydra/sweeper=optuna: hands words, settings, launcher and task to the search."""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

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

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Takes the task, and makes the launcher."""
        self.task = task_function
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def open_engine(self, total: int) -> Any:
        """The engine that runs the jobs.

        Args:
            total: how many there are in all.
        """
        from s2s_lab.sweeps.engine import Engine  # pyright: ignore[reportMissingImports]

        return Engine(self.launcher.settings, total=total)


class OptunaSearch(EngineSweeper):
    """hydra/sweeper=optuna."""

    def sweep(self, arguments: list[str]) -> Any:
        """Searches.

        Args:
            arguments: the words of the command line without Hydra's own.

        Raises:
            RequestError: if the request is wrong.
            RunError: if no trial has a value, or some were interrupted.
        """
        from s2s_lab.sweeps.progress import progress_of  # pyright: ignore[reportMissingImports]
        from s2s_lab.sweeps.search.search import search

        return search(
            self.task.prepare,
            self.open_engine,
            arguments,
            read_settings(self.settings),
            higher_is_better=self.task.higher_is_better,
            progress_of=progress_of,
        )


def plain(value: Any) -> Any:
    """A section of Hydra's as plain containers."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def register(kind: type[Sweeper]) -> None:
    """Makes a sweeper known to Hydra, which takes those of the package hydra_plugins alone."""
    kind.__module__ = "hydra_plugins.s2s_lab"
    Plugins.instance().register(kind)


def register_sweepers() -> None:
    """Makes the sweepers of the laboratory known to Hydra; to be called before its main."""
    from s2s_lab.sweeps.search.wandb_sweep import WandbSweep

    register(OptunaSearch)
    register(WandbSweep)
