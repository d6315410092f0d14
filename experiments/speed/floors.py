"""Bounds on a training step: the same widths without attention in torch's fused kernels, and the products alone."""

import os
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.assemble.network import build_network, without_memory
from s2s_lab.data.batch import Batch
from s2s_lab.data.vocabulary import PAD
from s2s_lab.faults import RunError
from s2s_lab.models.seq2seq import Seq2Seq

FUSED = {"ElmanCell": nn.RNN, "GRUCell": nn.GRU, "LSTMCell": nn.LSTM}
SQUARES = (512, 1024, 2048)  # of the products that the peak is looked for with
PEAK_S = 0.4  # for each of them
BACKWARD = 2  # for each product forward: one for the input's gradient, one for the weight's


class FusedRecurrent(nn.Module):
    """Encoder and decoder as whole-sequence kernels of torch, no attention, no bridge, a linear output.

    Args:
        settings: plain configuration of a training, for widths, depths and cells.
        source_size: tokens of the source vocabulary.
        target_size: tokens of the target vocabulary.
        feature_size: width of what the output reads.

    Raises:
        RunError: if a cell has no fused kernel.
    """

    def __init__(self, settings: Mapping[str, Any], *, source_size: int, target_size: int, feature_size: int) -> None:
        super().__init__()
        encoder, decoder = settings["encoder"], settings["decoder"]
        width = settings["embedding"]["embedding_size"]
        directions = 2 if encoder.get("bidirectional", False) else 1
        self.source_embedding = nn.Embedding(source_size, width, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, width, padding_idx=PAD)
        self.encoder = fused(encoder.get("cell", settings["cell"]))(
            width, encoder["hidden_size"] // directions, encoder["num_layers"], batch_first=True,
            bidirectional=directions == 2,
        )  # fmt: skip
        self.decoder = fused(decoder.get("cell", settings["cell"]))(
            width, decoder["hidden_size"], decoder["num_layers"], batch_first=True
        )
        self.feature_size = feature_size
        self.output = nn.Linear(feature_size, target_size)

    def forward(self, batch: Batch) -> Tensor:
        """Gives the summed loss of a batch, that of the encoder's outputs (of no weight) included."""
        ((source_ids, _),) = batch.sources
        memory, _ = self.encoder(self.source_embedding(source_ids))
        outputs, _ = self.decoder(self.target_embedding(batch.inputs))
        mask = batch.mask
        features = functional.pad(outputs, (0, max(0, self.feature_size - outputs.shape[2])))[mask]
        logits = self.output(features[:, : self.feature_size])
        loss = functional.cross_entropy(logits.float(), batch.targets[mask], reduction="sum")
        return loss + 0.0 * memory.float().sum()


def fused(node: Mapping[str, Any]) -> type[nn.RNNBase]:
    """The class of torch whose kernel a cell's is.

    Raises:
        RunError: if there is none.
    """
    name = str(node["_target_"]).rpartition(".")[2]
    if name not in FUSED:
        raise RunError(f"cell {name}: torch has no fused kernel of it")
    return FUSED[name]


def meta_network(settings: Mapping[str, Any], *, source_size: int, target_size: int) -> Seq2Seq:
    """The network of a configuration without memory, for its sizes."""
    shared = settings["data"]["vocabulary"]["shared"]
    with without_memory():
        return build_network(settings, source_size=source_size, target_size=target_size, shared=shared)


def step_flops(network: Seq2Seq, *, sentences: int, sources: int, targets: int, pairs: int, vocabulary: int) -> int:
    """Floating-point operations of the products of a training step, whatever computes them.

    Every weight matrix is applied once to each position it reads: encoder and attention keys to source tokens, decoder
    and output to target tokens, the bridge to sentences. Attention compares each target token with each source token
    of its sentence and sums over them. Two operations a weight, and twice as many again on the way back.

    Args:
        network: of any device, meta included.
        sentences: in the batch.
        sources: real source tokens, eos included.
        targets: real target tokens, eos included.
        pairs: over all sentences, source tokens times target tokens.
        vocabulary: tokens of the target vocabulary.
    """
    positions = {
        "encoder.": sources, "decoder.attention.memory_projection": sources,
        "decoder.attention.energy_projection": 0, "decoder.": targets, "bridge.": sentences,
    }  # fmt: skip
    multiplied = network.decoder.feature_size * vocabulary * targets
    for name, weight in network.named_parameters():
        if weight.dim() == 2:
            times = [count for prefix, count in positions.items() if name.startswith(prefix)]
            multiplied += weight.numel() * (times[0] if times else 0)
    attention: Any = network.decoder.attention
    if not attention.constant:
        keys = getattr(attention, "memory_projection", None)
        key_size = attention.memory_size if keys is None else keys.out_features
        multiplied += pairs * (key_size + attention.context_size)
    return 2 * multiplied * (1 + BACKWARD)


def batch_flops(network: Seq2Seq, batch: Batch, vocabulary: int) -> int:
    """`step_flops` of a batch."""
    lengths = batch.sources[0][1]
    return step_flops(
        network,
        sentences=len(lengths),
        sources=int(lengths.sum()),
        targets=int(batch.target_lengths.sum()),
        pairs=int((lengths * batch.target_lengths).sum()),
        vocabulary=vocabulary,
    )


def peak_flops(dtype: torch.dtype, device: torch.device, *, squares: tuple[int, ...] = SQUARES) -> float:
    """The most operations a second that products of square matrices reach here and now, in the present arithmetic."""
    best = 0.0
    for size in squares:
        left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        out = left @ right
        end = time.perf_counter() + PEAK_S
        while (began := time.perf_counter()) < end:
            torch.mm(left, right, out=out)
            if device.type == "cuda":
                torch.cuda.synchronize()
            best = max(best, 2.0 * size**3 / (time.perf_counter() - began))
    return best


def peak_flops_of_arithmetic(threads: int | None = None, *, squares: tuple[int, ...] = SQUARES) -> dict[str, float]:
    """`peak_flops` of this machine's CPU in each arithmetic of workloads.yaml, by its name.

    Args:
        threads: of the products; all cores without it.
        squares: their sizes.
    """
    before, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    found = {}
    try:
        for name, matmul, dtype in (
            ("float32-torch", "highest", torch.float32), ("float32", "medium", torch.float32),
            ("bfloat16", "medium", torch.bfloat16),
        ):  # fmt: skip
            torch.set_float32_matmul_precision(matmul)
            found[name] = peak_flops(dtype, torch.device("cpu"), squares=squares)
    finally:
        torch.set_num_threads(before)
        torch.set_float32_matmul_precision(precision)
    return found
