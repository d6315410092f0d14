"""Tries the largest training batch before the first step, so that too little memory shows at once."""

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.seed import isolate_rng

from s2s_lab.data.bucketing import Rows
from s2s_lab.data.collate import Collator
from s2s_lab.data.encoded import EncodedSplit
from s2s_lab.training.callbacks.current_batch import CurrentBatch
from s2s_lab.training.module import Seq2SeqModule


class Rehearsal(pl.Callback):
    """One forward and backward pass on the largest batch whose gradients nobody sees.

    Random states and buffers are put back, and nothing is logged or counted, so the training is the same without it.

    Args:
        rows: the largest global batch; each rank tries its share.
        split: where its sentences lie.
        current: is told of the batch.
    """

    def __init__(self, *, rows: Rows, split: EncodedSplit, current: CurrentBatch) -> None:
        self.rows, self.split, self.current = rows, split, current

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See the class."""
        assert isinstance(pl_module, Seq2SeqModule)
        rank, ranks = trainer.global_rank, trainer.world_size
        batch = Collator(self.split)[self.rows._replace(indices=self.rows.indices[rank::ranks])]
        self.current.take(batch, "the largest training batch, tried before the first step")
        buffers = [buffer.clone() for buffer in pl_module.buffers()]
        with isolate_rng(), trainer.precision_plugin.forward_context():
            _forward_and_backward(pl_module, trainer.strategy.batch_to_device(batch))
        for buffer, before in zip(pl_module.buffers(), buffers, strict=True):
            buffer.copy_(before)


def _forward_and_backward(module: Seq2SeqModule, batch: object) -> None:
    """Differentiates without touching any parameter's `grad`, so that no hook of DDP runs either."""
    ratio = min(module.teacher_forcing(0), module.teacher_forcing(module.total_steps - 1))
    loss = module.objective(module.network, batch, teacher_forcing=ratio, coin=module.teacher_forcing.coin)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    torch.autograd.grad(loss.total, parameters, allow_unused=True)
