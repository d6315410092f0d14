"""Hogwild: ranks of one machine update parameters in shared memory, without waiting for each other."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from lightning.pytorch.strategies import DDPStrategy

MEMORY = Path("/dev/shm")
ALIGNMENT = 64  # bytes: no two parameters share a line of the processor's cache


class HogwildStrategy(DDPStrategy):
    """Every rank steps with the gradient of its own rows on parameters that all of them share, without any lock.

    So an optimizer step of the training stands for one update by each rank. The optimizer's state is each rank's own.
    Validations and log rows are made together, so the ranks wait for each other there; nothing is reproducible.

    Paper: Niu et al. 2011, arXiv 1106.5730, algorithm 1. Deviations: minibatches, and dense gradients.
    """

    def configure_ddp(self) -> None:
        """Moves the parameters of all ranks into one piece of shared memory, with the values of rank 0."""
        assert self.lightning_module is not None
        parameters = list(self.lightning_module.parameters())
        name = None
        if self.global_rank == 0:
            descriptor, name = tempfile.mkstemp(prefix="s2s-lab-", dir=MEMORY if MEMORY.is_dir() else None)
            os.close(descriptor)
            try:
                share(parameters, Path(name), keep=True)
            except BaseException:
                Path(name).unlink()
                raise
        path = Path(str(self.broadcast(name)))
        try:
            if self.global_rank != 0:
                share(parameters, path, keep=False)
            self.barrier()
        finally:
            if self.global_rank == 0:
                path.unlink()  # the mappings stay until their processes end

    def on_validation_start(self) -> None:
        """Waits until no rank changes the parameters any more."""
        self.barrier()

    def on_validation_end(self) -> None:
        """Waits until no rank needs them unchanged any more."""
        self.barrier()


def share(parameters: Iterable[torch.nn.Parameter], path: Path, *, keep: bool) -> None:
    """Maps parameters onto a file, in their order.

    Args:
        parameters: on the CPU; the same shapes and types in every process that maps the file.
        path: the file, which exists.
        keep: whether the file takes the parameters' values; otherwise they take the file's.
    """
    listed, places, size = list(parameters), [], 0
    for parameter in listed:
        places.append(size)
        size += -(-parameter.numel() * parameter.element_size() // ALIGNMENT) * ALIGNMENT
    storage = torch.UntypedStorage.from_file(str(path), True, max(size, ALIGNMENT))
    for parameter, place in zip(listed, places, strict=True):
        mapped = torch.empty(0, dtype=parameter.dtype)
        mapped.set_(storage, place // parameter.element_size(), parameter.shape)  # type: ignore[call-overload]
        if keep:
            mapped.copy_(parameter.detach())
        parameter.data = mapped
