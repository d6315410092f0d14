"""Whether this machine has what the `trainer` section asks for: devices, ranks, and a strategy that fits them."""

import os
from collections.abc import Mapping
from typing import Any

from s2s_lab.faults import RequestError


def check_devices(settings: Mapping[str, Any]) -> None:
    """Refuses a training that this machine cannot run.

    Args:
        settings: the `trainer` section.

    Raises:
        RequestError: one line that names the key, its value and what was expected.
    """
    import torch

    found = torch.cuda.device_count()
    gpus = "no CUDA device" if not found else f"{found} CUDA device" + ("s" if found > 1 else "")
    devices, nodes, strategy = settings["devices"], settings["num_nodes"], settings["strategy"]
    on_gpu = settings["accelerator"] == "gpu" or (settings["accelerator"] == "auto" and found > 0)
    if strategy == "fsdp" and not (on_gpu and found):
        raise RequestError(f"trainer.strategy=fsdp needs CUDA devices; this machine has {gpus}")
    if strategy == "fsdp" and settings.get("average_last") is not None:
        raise RequestError(
            f"trainer.average_last={settings['average_last']}: null is expected with trainer.strategy=fsdp, where no "
            "rank has whole weights"
        )
    if strategy == "hogwild" and (on_gpu or nodes > 1):
        raise RequestError(
            "trainer.strategy=hogwild shares one machine's memory: trainer.accelerator=cpu and trainer.num_nodes=1 "
            "are expected"
        )
    if strategy in ("local_sgd", "hogwild") and settings.get("skip_bad_batches"):
        raise RequestError(
            f"trainer.skip_bad_batches={settings['skip_bad_batches']}: 0 is expected with trainer.strategy={strategy}, "
            "whose ranks have gradients of their own"
        )
    if on_gpu and not found:
        raise RequestError("trainer.accelerator=gpu: this machine has no CUDA device")
    if on_gpu and devices > found:
        raise RequestError(f"trainer.devices={devices}: this machine has {gpus}")
    started = int(os.environ.get("WORLD_SIZE", str(devices * nodes)))
    if started != devices * nodes:
        raise RequestError(
            f"{started} ranks were started for trainer.devices={devices} and trainer.num_nodes={nodes}: "
            f"{devices * nodes} are expected"
        )


def threads(settings: Mapping[str, Any]) -> int:
    """Threads of one rank: as configured, else its share of the cores; settings as above."""
    return settings["num_threads"] or max(1, len(os.sched_getaffinity(0)) // settings["devices"])
