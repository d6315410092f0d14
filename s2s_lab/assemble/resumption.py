"""What a training that is resumed goes on from: its newest whole checkpoint, in the data of its start."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from s2s_lab.assemble.instantiation import build
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.checkpoint_io import best_fault, newest_good


def checkpoint_to_resume(folder: RunFolder, strategy: str, say: Callable[[str], None]) -> Path | None:
    """The checkpoint to go on from; says which newer ones are damaged.

    Args:
        folder: of the run.
        strategy: `trainer.strategy`.
        say: tells the user one line.

    Returns:
        None where no checkpoint was written yet, or none is whole.
    """
    path, exact, has_best, faults = newest_good(folder.checkpoints)
    for fault in faults:
        say(f"{fault}; {f'{path.name} is used instead' if path else 'there is no earlier one'}")
    if has_best and (fault := best_fault(folder.checkpoints)) is not None:
        say(f"{fault}; the best of the validations to come is kept in its place")
    if path is None:
        curves = folder.metrics_csv.read_text(encoding="utf-8") if folder.metrics_csv.is_file() else ""
        gone = "validation/" in curves and not faults  # each validation leaves a checkpoint
        say(
            "its checkpoints are gone: the training begins again at its first step"
            if gone
            else "there is no whole checkpoint: the training begins at its first step"
        )
    elif not exact:
        say(f"{path}: written by an earlier version; the training goes on from it, but not exactly")
    elif strategy in ("local_sgd", "hogwild"):
        say(
            f"trainer.strategy={strategy}: every rank has an optimizer of its own, of which rank 0's state was kept; "
            "the training goes on, but not exactly"
        )
    return path


def check_unchanged(
    settings: Mapping[str, Any], *, resume: bool, accept_changed: bool, say: Callable[[str], None]
) -> None:
    """Refuses data that were changed since the job was made; one that is resumed may go on in them where told.

    Args:
        settings: the run's whole configuration.
        resume: whether the training has begun before.
        accept_changed: whether to go on all the same.
        say: tells the user one line.

    Raises:
        RequestError: the corpus was changed.
    """
    now, then = build(settings["data"]["corpus"], "data.corpus").fingerprint(), settings["job"]["corpus_fingerprint"]
    if now == then:
        return
    if not resume:
        raise RequestError("the files of the corpus were changed since the job was made: start it anew")
    if not accept_changed:
        raise RequestError(
            "the files of the corpus were changed since the training began, so it cannot go on as it was; "
            "accept_changed_data=true goes on with them, init=RUN starts anew from its weights"
        )
    say("the files of the corpus were changed since the training began; it goes on with them as told")
