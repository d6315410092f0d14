"""Weights & Biases, the option `logger=wandb`; the tracker itself is loaded where a training begins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal


def wandb_tracker(
    *,
    folder: Path,
    run_id: str,
    name: str,
    group: str,
    configuration: Mapping[str, Any],
    project: str = "s2s_lab",
    entity: str | None = None,
    mode: Literal["offline", "online"] = "offline",
) -> Any:
    """Make the WandbTracker of one job; arguments as there.

    A function, so that to check a configuration is not to load W&B and Lightning, which takes seconds.
    """
    from s2s_lab.training.loggers.wandb_run import WandbTracker

    return WandbTracker(
        folder=folder, run_id=run_id, name=name, group=group, configuration=configuration,
        project=project, entity=entity, mode=mode,
    )  # fmt: skip
