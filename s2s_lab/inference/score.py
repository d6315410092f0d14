"""Scores given targets with a frozen network: the log-probability of each reference."""

from collections.abc import Iterable

import torch

from s2s_lab.data.batch import Batch
from s2s_lab.inference.view import Network, log_probs
from s2s_lab.models.seq2seq import Seq2Seq


def score_targets(network: Seq2Seq, batches: Iterable[Batch], *, device: torch.device) -> dict[int, tuple[float, int]]:
    """Teacher-forced log-probabilities of the batches' targets.

    Args:
        network: in eval mode, on `device`.
        batches: in any order.
        device: where the network is.

    Returns:
        By sentence index: (log-probability in natural units, number of tokens, eos included).
    """
    scored: dict[int, tuple[float, int]] = {}
    for batch in batches:
        moved = batch.to(device)
        with torch.inference_mode():
            # as in training: unknown words count as one
            sources = tuple((network.known_source(values), lengths) for values, lengths in moved.sources)
            features, _ = network(sources, moved.inputs)
            mask = moved.mask
            found = target_log_probs(network, features[mask], moved.targets[mask])
            log_probs = found.new_zeros(mask.shape)  # (batch, target_len)
            log_probs[mask] = found
            sums = log_probs.double().sum(1).tolist()
        lengths = batch.target_lengths.tolist()
        scored.update(zip(batch.index.tolist(), zip(sums, lengths, strict=True), strict=True))
    return scored


def score_by_steps(network: Network, batches: Iterable[Batch], *, device: torch.device) -> dict[int, tuple[float, int]]:
    """Log-probabilities of the batches' targets under a view of networks, one step after the other.

    Args:
        network: anything that can be decoded with; in eval mode, on `device`.
        batches: in any order.
        device: where the network is.

    Returns:
        As `score_targets`.
    """
    scored: dict[int, tuple[float, int]] = {}
    for batch in batches:
        moved = batch.to(device)
        with torch.inference_mode():
            memory, state = network.start(moved.sources)
            sums = torch.zeros(len(moved.index), dtype=torch.float64, device=device)
            for position in range(moved.inputs.shape[1]):
                scores, state, _ = network.step(moved.inputs[:, position], state, memory)
                found = log_probs(scores).gather(1, moved.targets[:, position, None])[:, 0]
                sums += torch.where(moved.mask[:, position], found.double(), 0.0)
        pairs = zip(sums.tolist(), batch.target_lengths.tolist(), strict=True)
        scored.update(zip(batch.index.tolist(), pairs, strict=True))
    return scored


def target_log_probs(network: Seq2Seq, features: torch.Tensor, targets: torch.Tensor, rows: int = 1024) -> torch.Tensor:
    """Log-probability of each target token; in chunks of rows, so that memory stays small.

    Args:
        network: gives the output.
        features: (tokens, feature_size).
        targets: (tokens,).
        rows: tokens in a chunk.

    Returns:
        (tokens,), at least float32.
    """
    parts = [
        network.output.log_probs(part).gather(1, ids[:, None])[:, 0]
        for part, ids in zip(features.split(rows), targets.split(rows), strict=True)
    ]
    return torch.cat(parts) if parts else features.new_zeros(0)
