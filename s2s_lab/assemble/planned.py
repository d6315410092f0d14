"""The evaluations that a run folder asks for: done by the job that trained it, or later."""

import torch

from s2s_lab.assemble.devices import threads
from s2s_lab.assemble.evaluation import evaluate
from s2s_lab.assemble.inference import choose_device
from s2s_lab.records.run_folder import RunFolder


def evaluate_planned(folder: RunFolder) -> None:
    """Does the evaluations of evaluations.yaml that are not recorded yet, and records each as soon as it is done.

    Args:
        folder: of a finished run.

    Raises:
        RequestError: if an evaluation cannot be done with this run.
    """
    for key, settings in folder.open_evaluations().items():
        torch.set_num_threads(settings["num_threads"] or threads(folder.configuration()["trainer"]))
        torch.set_float32_matmul_precision(settings["matmul_precision"])
        place, _ = evaluate(folder, settings, choose_device(settings["accelerator"]))
        folder.update({"evaluations": {key: str(place.relative_to(folder.evaluations))}})
