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
    """Make the tracker of one job: one W&B run of the type `train`, in the group of its experiment.

    A function, so that to check a configuration is not to load W&B and Lightning, which takes seconds.

    Args:
        folder: run folder; W&B's files and the staged artifact lie in it.
        run_id: fixed before training, recorded in run.json.
        name: shown name of the run.
        group: runs of one experiment.
        configuration: the whole plain configuration.
        project: W&B project.
        entity: W&B team or user, or None for the default.
        mode: `offline` writes files that `wandb sync` sends later; `online` needs a key and a network, and goes on as
            `offline`, with a warning, where W&B does not answer.
    """
    from s2s_lab.training.loggers.wandb_run import WandbTracker

    return WandbTracker(
        folder=folder, run_id=run_id, name=name, group=group, configuration=configuration,
        project=project, entity=entity, mode=mode,
    )  # fmt: skip
