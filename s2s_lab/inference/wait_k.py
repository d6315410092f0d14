"""Simultaneous reading: each symbol is written before the whole source is read."""

from typing import Any

import torch
from torch import Tensor

from s2s_lab.data.vocabulary import PAD
from s2s_lab.faults import RequestError
from s2s_lab.inference.view import Network
from s2s_lab.models.seq2seq import Sources
from s2s_lab.nested import repeat_rows


class WaitK:
    """A view of a network that has read k source positions when it writes its first symbol, and one more for each next.

    At step t, from 0, only the first k + t positions are read, all of them from there on. Any network can read so: the
    prefix is encoded anew at each step, while the decoder's state goes on from step to step; it starts from the first
    k positions. What is not read yet is padding. With k at least the source's length this is ordinary decoding.

    Paper: Ma et al. 2019, arXiv 1810.08398, section 3 (test-time wait-k). Deviation: a network that was trained on
    whole sources is decoded so; the paper also trains on prefixes.

    Args:
        network: in eval mode.
        k: source positions, eos included, read before the first symbol; at least 1.

    Raises:
        RequestError: k is below 1.
    """

    def __init__(self, network: Network, k: int) -> None:
        self.network = network
        if k < 1:
            raise RequestError(f"wait_k is {k}, expected a whole number of at least 1")
        self.k = k

    def start(self, sources: Sources) -> tuple[Any, Any]:
        """Read the first k positions: memory is the whole source, state is the decoder's and the step; see Network."""
        ((values, lengths),) = sources
        _, state = self._read(values, lengths, torch.zeros_like(lengths))
        return (values, lengths), (state, torch.zeros_like(lengths))

    def step(self, previous_ids: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
        """Read one position more and make one step; see Network."""
        values, lengths = memory
        inner, steps = state
        of_sentences = steps.view(len(lengths), -1)
        if bool((of_sentences == of_sentences[:, :1]).all()):
            read, _ = self._read(values, lengths, of_sentences[:, 0])
        else:  # hypotheses of one sentence that have come to different steps
            values, lengths = repeat_rows((values, lengths), of_sentences.size(1))
            read, _ = self._read(values, lengths, steps)
        scores, inner, weights = self.network.step(previous_ids, inner, read)
        return scores, (inner, steps + 1), weights

    def _read(self, values: Tensor, lengths: Tensor, steps: Tensor) -> tuple[Any, Any]:
        """Encode what is read by a step: memory and first state."""
        read = torch.minimum(lengths, steps + self.k)
        hidden = torch.arange(values.size(1), device=values.device) >= read.unsqueeze(1)
        hidden = hidden if values.ndim == 2 else hidden.unsqueeze(2)  # tokens may carry factors
        return self.network.start(((values.masked_fill(hidden, PAD), read),))


def delays(source_length: int, written: int, k: int) -> list[int]:
    """Gives how many source positions had been read when each symbol was written.

    Args:
        source_length: in positions, eos included.
        written: symbols, eos included.
        k: positions read before the first symbol.
    """
    return [min(k + step, source_length) for step in range(written)]
