"""The evaluations that a run folder asks for: done by the job that trained it, or later."""

import sys

import torch

from s2s_lab.assemble.devices import threads
from s2s_lab.assemble.evaluation import evaluate
from s2s_lab.assemble.inference import choose_device
from s2s_lab.assemble.workbench import Workbench
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder


def evaluate_planned(folder: RunFolder) -> None:
    """Does the evaluations of evaluations.yaml that are not recorded yet, and records each as soon as it is done.

    A fault of one costs that evaluation alone: it is told on standard error at once, the first is raised at the end,
    a RequestError after all others.

    Args:
        folder: of a finished run.

    Raises:
        RequestError: if an evaluation cannot be done with this run.
    """
    planned = folder.open_evaluations()
    kept = max((settings.get("encoded_megabytes", 0) for settings in planned.values()), default=0)
    bench = Workbench(folder, encoded_megabytes=kept if len(planned) > 1 else 0)
    faults: list[Exception] = []
    for key, settings in planned.items():
        torch.set_num_threads(settings["num_threads"] or threads(folder.configuration()["trainer"]))
        torch.set_float32_matmul_precision(settings["matmul_precision"])
        try:
            done = evaluate(folder, settings, choose_device(settings["accelerator"]), bench)
            folder.update({"evaluations": {key: str(done.folder.relative_to(folder.evaluations))}})
        except Exception as error:
            faults.append(error)
            which = f"the evaluation {settings['label']}" if settings.get("label") else "an evaluation"
            print(f"{which} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    if faults:
        raise next((fault for fault in faults if not isinstance(fault, RequestError)), faults[0])
