"""Hands the table of a grid to W&B."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal


def log_tables(
    rows: Sequence[Mapping[str, Any]],
    *,
    folder: Path,
    mode: Literal["offline", "online"],
    project: str,
    entity: str | None,
) -> list[str]:
    """Logs each row as a W&B run, grouped by what was evaluated.

    Args:
        rows: flat rows of the table.
        folder: W&B's files go below it.
        mode: offline or online.
        project: W&B project.
        entity: W&B team or user, or None.

    Returns:
        The ids of the W&B runs.

    Raises:
        RequestError: if wandb is not installed.
    """
    from s2s_lab.faults import RequestError

    try:
        from s2s_lab.training.loggers.wandb_grid import log_grid
    except ImportError as error:
        raise RequestError(f"wandb={mode}: {error}; pip install wandb") from error
    splits = "+".join(dict.fromkeys(str(row["split"]) for row in rows))
    names = "+".join(dict.fromkeys(str(row["run"]) for row in rows))
    group = f"decoders {splits} {names}"[:120]
    folder.mkdir(parents=True, exist_ok=True)
    return log_grid(rows, folder=folder, group=group, project=project, entity=entity, mode=mode)
