"""Post-local SGD: ranks average gradients at first, then only now and then their parameters."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.distributed.algorithms.model_averaging.utils import average_parameters
from torch.nn.parallel import DistributedDataParallel


class LocalSGDStrategy(DDPStrategy):
    """Averages gradients in the first steps; after them each rank steps alone and parameters are averaged.

    Paper: Lin et al. 2020, arXiv 1808.07217, algorithm 2. Deviation: the parameters are also averaged before each
    validation, so that what is scored and kept is one model. The state of the optimizer (its momentum) stays with its
    rank.

    Args:
        start: optimizer steps with averaged gradients (t' of the paper).
        period: local steps between two averages of the parameters (H of the paper).
        **options: of DDPStrategy.
    """

    def __init__(self, *, start: int, period: int, **options: Any) -> None:
        super().__init__(**options)
        self.start, self.period = start, period

    @property
    def is_local(self) -> bool:
        """Whether the optimizer step at hand is one of each rank alone."""
        assert self.lightning_module is not None
        return self.lightning_module.global_step >= self.start

    def average(self) -> None:
        """Gives every rank the mean of all ranks' parameters."""
        assert self.lightning_module is not None
        parameters = [parameter for parameter in self.lightning_module.parameters() if parameter.requires_grad]
        with torch.no_grad():
            average_parameters(iter(parameters), torch.distributed.group.WORLD)  # type: ignore[arg-type]

    def optimizer_step(self, optimizer: Any, closure: Callable[[], Any], model: Any = None, **options: Any) -> Any:
        """Makes a step, and averages the parameters where it ends a period."""
        assert self.lightning_module is not None
        local_steps = self.lightning_module.global_step + 1 - self.start
        output = super().optimizer_step(optimizer, closure, model, **options)
        if local_steps > 0 and local_steps % self.period == 0:
            self.average()
        return output

    def on_validation_start(self) -> None:
        """Averages the parameters; see the class."""
        if self.is_local:
            self.average()

    def _register_ddp_hooks(self) -> None:
        assert isinstance(self.model, DistributedDataParallel)
        self.model.register_comm_hook(None, self._shared)

    def _shared(
        self,
        state: None,
        bucket: torch.distributed.GradBucket,  # type: ignore[reportPrivateImportUsage]  # torch checks this annotation
    ) -> torch.futures.Future[torch.Tensor]:
        """What becomes of a bucket of gradients."""
        if not self.is_local:
            return allreduce_hook(None, bucket)  # type: ignore[arg-type]
        devices: Any = [self.root_device] if self.root_device.type == "cuda" else None
        kept: torch.futures.Future[torch.Tensor] = torch.futures.Future(devices=devices)
        kept.set_result(bucket.buffer())
        return kept
