"""Bounds of a training step: takes {run, warm_up, seconds}, prints them in tokens a second."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from experiments.speed.floors import FusedRecurrent, batch_flops, meta_network, peak_flops
from s2s_lab.assemble.inference import choose_device
from s2s_lab.assemble.preparation import prepare_data
from s2s_lab.data.batch import Batch
from s2s_lab.data.bucketing import BucketedBatches
from s2s_lab.data.collate import Collator
from s2s_lab.data.prepared import PreparedData
from s2s_lab.records.run_folder import RunFolder


def main() -> None:
    """Measures the peak of products, then trains the fused network, and prints one line of JSON."""
    task = json.loads(sys.argv[1])
    settings = RunFolder(Path(task["run"])).configuration()
    trainer = settings["trainer"]
    torch.set_num_threads(trainer["num_threads"] or len(os.sched_getaffinity(0)))
    torch.set_float32_matmul_precision(trainer["matmul_precision"])
    device = choose_device(trainer["accelerator"])
    data, _ = prepare_data(settings)
    sizes = {"source_size": len(data.source_vocabulary), "target_size": len(data.target_vocabulary)}
    network = meta_network(settings, **sizes)
    dtype = torch.bfloat16 if trainer["precision"] == "bf16-mixed" else torch.float32
    peak = peak_flops(dtype, device)
    flops = tokens = 0
    for _, batch in zip(range(50), batches(data, settings), strict=False):
        flops += batch_flops(network, batch, sizes["target_size"])
        tokens += counted(batch)
    torch.manual_seed(1)
    fused = FusedRecurrent(settings, **sizes, feature_size=network.decoder.feature_size).to(device)
    facts = {
        "peak_gflops": round(peak / 1e9, 1),
        "mflop_per_token": round(flops / tokens / 1e6, 3),
        "products_tokens_per_s": round(peak * tokens / flops, 1),
        "fused_tokens_per_s": round(trained_rate(fused, data, settings, task, device), 1),
    }
    print(json.dumps(facts))


def batches(data: PreparedData, settings: Mapping[str, Any]) -> Iterator[Batch]:
    """Batches of the training split as the product makes them, epoch after epoch."""
    train = data.splits["train"]
    order = BucketedBatches(
        source_lengths=train.source_lengths, target_lengths=train.target_lengths, **settings["data"]["batch"],
        shuffle=True, seed=settings["seed"],
    )  # fmt: skip
    epoch = 0
    while True:
        order.set_epoch(epoch)
        yield from DataLoader(Collator(train), sampler=order, batch_size=None)
        epoch += 1


def counted(batch: Batch) -> int:
    """Tokens of a batch as every rate here counts them: source words, target words and the one end symbol."""
    lengths = batch.sources[0][1]
    return int(lengths.sum()) - len(lengths) + int(batch.target_lengths.sum())


def trained_rate(
    network: FusedRecurrent,
    data: PreparedData,
    settings: Mapping[str, Any],
    task: Mapping[str, Any],
    device: torch.device,
) -> float:
    """Tokens a second of a plain training loop, after `warm_up` steps, for `seconds`."""
    clip = settings["trainer"]["gradient_clip"]
    optimizer = torch.optim.Adam(network.parameters(), lr=settings["optimizer"].get("lr", 1e-3), fused=True)
    tokens, began = 0, 0.0
    for step, host_batch in enumerate(batches(data, settings)):
        if step == task["warm_up"]:
            tokens, began = 0, _now(device)
        batch = host_batch.to(device)
        with _arithmetic(settings, device):
            loss = network(batch) / batch.global_tokens
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        tokens += counted(batch)
        if step >= task["warm_up"] and (spent := _now(device) - began) >= task["seconds"]:
            return tokens / spent
    raise AssertionError("the batches have no end")


def _arithmetic(settings: Mapping[str, Any], device: torch.device) -> AbstractContextManager[Any]:
    half = settings["trainer"]["precision"] == "bf16-mixed"
    return torch.autocast(device.type, torch.bfloat16) if half else nullcontext()


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
