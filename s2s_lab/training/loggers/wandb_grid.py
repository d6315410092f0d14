"""The rows of a grid of evaluations as W&B runs: one for each model and strategy, in one group."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import wandb

from s2s_lab.training.loggers.wandb_run import SECONDS, discreet_settings, tags_of

OF_THE_ROW = ("split", "run", "seed", "strategy", "signature")
OF_THE_MACHINE = ("folder",)


def log_grid(
    rows: Sequence[Mapping[str, Any]],
    *,
    folder: Path,
    group: str,
    project: str,
    entity: str | None,
    mode: Literal["offline", "online"],
) -> list[str]:
    """Logs each row as a finished run of the type `evaluate`.

    Args:
        rows: flat; split, run, seed, strategy and signature are its configuration, the other numbers its summary.
        folder: W&B's files lie in it.
        group: what the runs have in common.
        project: W&B project.
        entity: W&B team or user, or None for the default.
        mode: as of WandbTracker; where W&B does not answer, the rest is logged offline, with a warning.

    Returns:
        The ids of the runs.
    """
    os.environ.setdefault("WANDB_DATA_DIR", str(folder / "wandb"))
    os.environ.setdefault("WANDB_SILENT", "true")
    for variable, seconds in SECONDS.items():
        os.environ.setdefault(variable, seconds)
    ids = []
    for row in rows:
        told: dict[str, Any] = {
            "dir": folder,
            "project": project,
            "entity": entity,
            "group": group,
            "name": f"{row['run']} · {row['strategy']}",
            "job_type": "evaluate",
            "tags": tags_of(row["run"], group) + tags_of(row["strategy"], group),
            "config": {key: row[key] for key in OF_THE_ROW},
            "settings": discreet_settings(),
        }
        try:
            run = wandb.init(**told, mode=mode)
        except Exception as error:
            reason = " ".join(str(error).split())
            print(
                f"s2s-evaluate: warning: W&B: no online run ({type(error).__name__}: {reason[:160]}); the table is "
                f"logged offline, to be sent later by: wandb sync {folder}/wandb/offline-run-*",
                file=sys.stderr,
            )
            mode = "offline"
            run = wandb.init(**told, mode=mode)
        left_out = (*OF_THE_ROW, *OF_THE_MACHINE)
        run.summary.update({key: value for key, value in row.items() if key not in left_out and value is not None})
        ids.append(run.id)
        run.finish()  # else the next row would be logged into this run
    return ids
