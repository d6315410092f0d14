"""What a run folder holds of a training: what is known before its first step, and the model that it ends with."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from s2s_lab.data.prepared import PreparedData
from s2s_lab.faults import RequestError
from s2s_lab.inference.frozen import FrozenModel, save_model
from s2s_lab.records.environment import git, machine, versions
from s2s_lab.records.evaluation import read_evaluation
from s2s_lab.records.frozen_job import side_name
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.callbacks.recent_weights import put_weights
from s2s_lab.training.checkpoint_io import BEST, newest_good, read_checkpoint
from s2s_lab.training.loggers.base import Ends, KeepsModels

KEPT = ("seed", "parameters", "seconds", "steps", "tokens_per_second", "best", "average")
"""Facts that trackers keep beside a model."""


def start_record(
    folder: RunFolder, settings: Mapping[str, Any], prepared: PreparedData, network: torch.nn.Module, fill: float
) -> None:
    """Writes what is known of a training before its first step.

    Args:
        folder: of the run, started.
        settings: its whole configuration, plain.
        prepared: its data.
        network: what is trained.
        fill: share of the batches' positions that hold tokens, 0 to 1.
    """
    job, data = settings["job"], settings["data"]
    devices = [torch.cuda.get_device_name()] if torch.cuda.is_available() else ["cpu"]
    folder.update(
        {
            "git": git(),
            "versions": versions(),
            "machine": machine(devices),
            "data": {
                "name": data["name"],
                "source": side_name(data["source"]),
                "target": data["target"],
                "fingerprint": prepared.fingerprint,
                "files": job["corpus_fingerprint"],
                "filtered": prepared.filtered,
                "fill": round(fill, 4),
                "vocabulary": [len(prepared.source_vocabulary), len(prepared.target_vocabulary)],
                "pairs": {"train": len(prepared.splits["train"]), "validation": len(prepared.splits["validation"])},
            },
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "tracker": {name: job["tracker_id"] for name, node in settings["logger"].items() if node is not None},
        }
    )
    folder.write_word_counts(prepared.word_counts)


def finish_record(
    folder: RunFolder,
    frozen: FrozenModel,
    loggers: Iterable[Any],
    average: Mapping[str, torch.Tensor] | None,
    say: Callable[[str], None],
) -> None:
    """Writes the model, hands it to the trackers, and marks the run finished.

    Args:
        folder: of the run, trained.
        frozen: the network that was trained, with its text sides; gets the weights that are written.
        loggers: of the training.
        average: weights by name; those of the best checkpoint where None, or of the newest where that was lost.
        say: tells the user one line.

    Raises:
        RequestError: if the best checkpoint is damaged.
        OSError: if the model cannot be written.
    """
    if average is None:
        best = _chosen(folder, say)["state_dict"]
        prefix = "network."
        frozen.network.load_state_dict({key[len(prefix) :]: best[key] for key in best if key.startswith(prefix)})
    else:
        put_weights(frozen.network, average)
    save_model(frozen, folder.model)
    facts = folder.finish("finished")
    for logger in loggers:
        if isinstance(logger, KeepsModels):
            logger.keep_model(folder.model, {key: facts[key] for key in KEPT if key in facts})


def end_loggers(folder: RunFolder, loggers: Iterable[Any]) -> None:
    """Hands the scores of all evaluations of a run to the trackers that wait for them, and ends those.

    Args:
        folder: of the run, finished.
        loggers: of its training.
    """
    waiting = [logger for logger in loggers if isinstance(logger, Ends)]
    if not waiting:
        return
    scores: dict[str, float] = {}
    for evaluation in map(read_evaluation, folder.evaluation_folders()):
        facts = evaluation.facts
        name = f"{facts['split']}/{facts.get('label') or facts['strategy']}"
        if any(key.startswith(f"{name}/") for key in scores):
            name = f"{facts['split']}/{evaluation.folder.name}"
        scores |= {f"{name}/{score['name']}": score["value"] for score in facts["scores"] if score["value"] is not None}
    for logger in waiting:
        logger.end(scores)


def _chosen(folder: RunFolder, say: Callable[[str], None]) -> dict[str, Any]:
    """The best checkpoint; where it was lost and no validation came after, the newest, which the record then names."""
    best = folder.checkpoints / BEST
    if best.is_file():
        return read_checkpoint(best)
    newest = newest_good(folder.checkpoints).path
    if newest is None:
        raise RequestError(f"{folder.checkpoints}: there is no whole checkpoint left to take the model from")
    found = read_checkpoint(newest)
    facts = folder.read().get("validations") or {}
    values = [value for step, value in facts.get("history") or [] if step == found["global_step"]]
    place = {"metric": facts.get("monitor"), "value": values[-1] if values else None, "step": found["global_step"]}
    folder.update({"best": {**place, "checkpoint": f"{folder.checkpoints.name}/{newest.name}"}})
    say(f"{best}: it is gone; the model is that of {newest.name}")
    return found
