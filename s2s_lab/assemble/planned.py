"""The evaluations that a run folder asks for: done by the job that trained it, or later."""

import torch

from s2s_lab.assemble.devices import threads
from s2s_lab.assemble.evaluation import evaluate
from s2s_lab.assemble.inference import choose_device
from s2s_lab.assemble.workbench import Workbench
from s2s_lab.records.run_folder import RunFolder


def evaluate_planned(folder: RunFolder) -> None:
    """Does the evaluations of evaluations.yaml that are not recorded yet, and records each as soon as it is done.

    Args:
        folder: of a finished run.

    Raises:
        RequestError: if an evaluation cannot be done with this run.
    """
    planned = folder.open_evaluations()
    kept = max((settings.get("encoded_megabytes", 0) for settings in planned.values()), default=0)
    bench = Workbench(folder, encoded_megabytes=kept if len(planned) > 1 else 0)
    for key, settings in planned.items():
        torch.set_num_threads(settings["num_threads"] or threads(folder.configuration()["trainer"]))
        torch.set_float32_matmul_precision(settings["matmul_precision"])
        done = evaluate(folder, settings, choose_device(settings["accelerator"]), bench)
        folder.update({"evaluations": {key: str(done.folder.relative_to(folder.evaluations))}})
