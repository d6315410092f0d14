"""Encoded sources, kept for the next decoding of the same sentences with the same network, up to a bound of memory."""

import threading
import time
from typing import Any, NamedTuple

import torch

from s2s_lab.data.batch import Batch
from s2s_lab.nested import leaves


class Encoded(NamedTuple):
    """A batch as a network has read it.

    Attributes:
        memory: nested tuples of tensors, sentences first.
        state: nested tuples of tensors, rows first.
        seconds: wall time that reading it took, whenever that was.
        kept: whether it had been read before.
    """

    memory: Any
    state: Any
    seconds: float
    kept: bool = False


def encode(network: Any, batch: Batch) -> Encoded:
    """Reads the sources of a batch.

    Args:
        network: anything with `start(sources)`, in eval mode.
        batch: on the network's device.
    """
    began = time.perf_counter()
    with torch.inference_mode():
        memory, state = network.start(batch.sources)
    if batch.index.is_cuda:
        torch.cuda.synchronize(batch.index.device)  # else what is still to be computed would count as decoding
    return Encoded(memory, state, time.perf_counter() - began)


class Encodings:
    """Keeps encoded batches of one list of sources; what finds no room is encoded anew each time.

    No search changes what it is handed, so one encoding serves them all. Several threads may ask at once.

    Args:
        most_bytes: of all tensors that are kept together; 0 keeps nothing.

    Attributes:
        kept_bytes: of what is kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.kept_bytes = 0
        self._kept: dict[tuple[int, tuple[int, ...]], tuple[Any, Encoded]] = {}
        self._counting = threading.Lock()

    def start(self, network: Any, batch: Batch) -> Encoded:
        """Gives a batch as the network reads it, or as it read it before.

        Args:
            network: as of `encode`; another object counts as another network.
            batch: on the network's device; known again by its sentences and their order.
        """
        key = (id(network), tuple(batch.index.tolist()))
        if key in self._kept:
            return self._kept[key][1]
        encoded = encode(network, batch)
        size = sum({leaf.untyped_storage().data_ptr(): leaf.untyped_storage().nbytes()
                    for leaf in leaves((encoded.memory, encoded.state))}.values())  # fmt: skip
        with self._counting:
            if self.kept_bytes + size <= self.most_bytes:
                self._kept[key] = (network, encoded._replace(kept=True))  # the network too: nothing else gets its id
                self.kept_bytes += size
        return encoded
