"""One point of growth: takes {settings, kind, seconds, batch, hidden, ...}, prints seconds and memory of a step."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from experiments.speed.jobs.stream import memory
from s2s_lab.assemble.inference import build_strategy, choose_device
from s2s_lab.assemble.instantiation import build
from s2s_lab.assemble.network import build_network
from s2s_lab.data.batch import Batch
from s2s_lab.data.vocabulary import EOS, NUM_SPECIALS
from s2s_lab.inference.decode import decode
from s2s_lab.models.seq2seq import Seq2Seq

LEAST_STEPS = 3


def main() -> None:
    """Repeats the step until the time is over and prints one line of JSON."""
    task = json.loads(sys.argv[1])
    trainer = task["settings"]["trainer"]
    torch.set_num_threads(trainer["num_threads"] or len(os.sched_getaffinity(0)))
    torch.set_float32_matmul_precision(trainer["matmul_precision"])
    torch.manual_seed(1)
    device = choose_device(trainer["accelerator"])
    size = task["vocabulary"]
    network = build_network(task["settings"], source_size=size, target_size=size, shared=False).to(device)
    batch = random_batch(task).to(device)
    step = {"train": training_step, "decode": decoding}[task["kind"]](network, batch, task, device)
    before = memory("VmRSS")
    seconds = repeated(step, task["seconds"])
    on_device = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None
    facts = {
        "seconds": statistics.median(seconds), "steps": len(seconds), "peak_memory_mb": round(memory("VmHWM"), 1),
        "before_mb": round(before, 1), "peak_device_memory_mb": on_device,
    }  # fmt: skip
    print(json.dumps(facts))


def random_batch(task: Mapping[str, Any]) -> Batch:
    """Full sentences of equal lengths, eos at the end of each."""

    def ids(length: int) -> torch.Tensor:
        drawn = torch.randint(NUM_SPECIALS, task["vocabulary"], (task["batch"], length))
        drawn[:, -1] = EOS
        return drawn

    def lengths(length: int) -> torch.Tensor:
        return torch.full((task["batch"],), length)

    source, target = task["source_length"], task["target_length"]
    return Batch(
        sources=((ids(source), lengths(source)),),
        targets=ids(target),
        target_lengths=lengths(target),
        index=torch.arange(task["batch"]),
        global_rows=task["batch"],
        global_tokens=task["batch"] * target,
    )


def training_step(network: Seq2Seq, batch: Batch, task: Mapping[str, Any], device: torch.device) -> Callable[[], None]:
    """A step of training: the objective, its gradient, clipping, the optimizer."""
    settings = task["settings"]
    objective = build(settings["objective"], "objective")
    optimizer = build(settings["optimizer"], "optimizer", params=list(network.parameters()))
    network.train()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with _arithmetic(settings, device):
            loss = objective(network, batch).total / batch.global_tokens
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings["trainer"]["gradient_clip"])
        optimizer.step()

    return step


def decoding(network: Seq2Seq, batch: Batch, task: Mapping[str, Any], device: torch.device) -> Callable[[], None]:
    """Greedy search, or a beam, whose outputs all have `target_length` symbols."""
    length, beam = task["target_length"], task["beam"]
    name = "greedy.GreedySearch" if beam == 1 else "beam.BeamSearch"
    node = {"_target_": f"s2s_lab.decoding.{name}", "max_length": length, "min_length": length - 1}
    strategy = build_strategy(node if beam == 1 else {**node, "size": beam})
    half = task["settings"]["trainer"]["precision"] == "bf16-mixed"
    network.to(dtype=torch.bfloat16 if half else torch.float32).eval()
    return lambda: _decoded(decode(network, strategy, [batch], device=device).tokens)


def repeated(step: Callable[[], None], seconds: float) -> list[float]:
    """Seconds of each repetition, the first one left out; at least LEAST_STEPS."""
    step()
    spent: list[float] = []
    while len(spent) < LEAST_STEPS or sum(spent) < seconds:
        began = _now()
        step()
        spent.append(_now() - began)
    return spent


def _decoded(tokens: int) -> None:
    assert tokens, "nothing was decoded"


def _arithmetic(settings: Mapping[str, Any], device: torch.device) -> AbstractContextManager[Any]:
    half = settings["trainer"]["precision"] == "bf16-mixed"
    return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
