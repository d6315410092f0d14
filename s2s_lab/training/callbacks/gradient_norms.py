"""The gradient's norm in each part of the network: which part learns, vanishes or explodes."""

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from s2s_lab.faults import RequestError
from s2s_lab.training.bad_batches import all_finite
from s2s_lab.training.module import Seq2SeqModule

ATTENTION = "attention"


class GradientNorms(pl.Callback):
    """Logs `train/gradient_norm/PART` beside `train/gradient_norm`, whose square is the sum of their squares.

    Parts are the network's own (encoder, bridge, decoder, output, embeddings) and the attention within the decoder.
    Norms are those before clipping (Pascanu et al., 2013, arXiv 1211.5063, section 3.2).

    Raises:
        RequestError: with trainer.strategy=fsdp, which holds pieces of each gradient.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """See the class."""
        if isinstance(trainer.strategy, FSDPStrategy):
            raise RequestError("callbacks=gradient_norms: trainer.strategy=fsdp holds pieces of each gradient")

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Logs at the steps that the other curves are logged at."""
        assert isinstance(pl_module, Seq2SeqModule)
        if (pl_module.global_step + 1) % pl_module.log_every:
            return
        parts: dict[str, list[torch.Tensor]] = {}
        for name, parameter in pl_module.network.named_parameters():
            if parameter.grad is not None:
                path = name.split(".")
                parts.setdefault(ATTENTION if ATTENTION in path else path[0], []).append(parameter.grad)
        norms = {f"train/gradient_norm/{part}": get_total_norm(gradients) for part, gradients in parts.items()}
        if all_finite(norms.values()):  # else the update is left out, or ends the training
            pl_module.log_dict(norms, batch_size=1)
