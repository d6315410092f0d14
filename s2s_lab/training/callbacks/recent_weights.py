"""Keeps the weights of the last validations and scores their mean at the end of a training."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import torch
from torch import nn

from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.datamodule import Seq2SeqDataModule
from s2s_lab.training.module import Seq2SeqModule

log = logging.getLogger(__name__)


class RecentWeights(pl.Callback):
    """Keeps the network's weights of the last validations on the CPU and in every checkpoint.

    When the training is done their mean is validated once, as at every validation, and recorded; the weights trained
    are put back. Every rank does the same with the same weights.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 6.1, who average the last 5 or 20 checkpoints.

    To stand before the callbacks that write checkpoints.

    Args:
        count: validations whose weights are kept, at least 1.
        folder: the run folder, started.
        datamodule: gives the validation's batches.
    """

    def __init__(self, *, count: int, folder: RunFolder, datamodule: Seq2SeqDataModule) -> None:
        self.folder, self.datamodule = folder, datamodule
        self.kept: deque[tuple[int, dict[str, torch.Tensor]]] = deque(maxlen=count)

    def mean(self) -> dict[str, torch.Tensor]:
        """Gives the mean of what is kept, each of tied tensors once; see `mean_weights`."""
        return mean_weights([weights for _, weights in self.kept])

    def state_dict(self) -> dict[str, Any]:
        """The weights, with their optimizer steps."""
        return {"kept": [[step, weights] for step, weights in self.kept]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.kept.clear()
        self.kept.extend((step, weights) for step, weights in state_dict["kept"])

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the weights that were validated."""
        assert isinstance(pl_module, Seq2SeqModule)
        self.kept.append((trainer.global_step, copied_weights(pl_module.network)))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validates the mean and records its scores."""
        assert isinstance(pl_module, Seq2SeqModule)
        with holding(pl_module.network, self.mean()):
            scores = self._scores(trainer, pl_module)
        trainer.strategy.barrier()  # ranks may share the weights: nobody goes on before all have put them back
        if trainer.is_global_zero:
            name, steps = pl_module.monitor, [step for step, _ in self.kept]
            self.folder.update({"average": {"metric": name, "value": scores[name], "steps": steps, "scores": scores}})
            log.info(
                "the model is the mean of the weights of %d validations, after the steps %s: %s %.6g",
                len(steps),
                ", ".join(map(str, steps)),
                name,
                scores[name],
            )

    @torch.no_grad()
    def _scores(self, trainer: pl.Trainer, module: Seq2SeqModule) -> dict[str, float]:
        training = module.training
        module.eval()
        module.on_validation_epoch_start()
        for position, batches in enumerate(self.datamodule.val_dataloader()):
            for index, batch in enumerate(batches):
                with trainer.precision_plugin.val_step_context():
                    module.validation_step(trainer.strategy.batch_to_device(batch), index, position)
        values = module.validation_values()
        module.train(training)
        return {name: float(value.to(torch.float32)) for name, value in values.items()}


def copied_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Gives copies on the CPU of a network's parameters and buffers by name, each of tied ones once."""
    seen: set[int] = set()
    copies = {}
    for name, value in network.state_dict().items():
        if not value.numel() or value.data_ptr() not in seen:
            seen.add(value.data_ptr())
            copies[name] = value.detach().to("cpu", copy=True)
    return copies


def mean_weights(kept: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Gives the mean of tensors by name, summed in float64, in their own types; of integers the last.

    Args:
        kept: at least one, all with the same names and shapes.
    """
    means = {}
    for name, last in kept[-1].items():
        if last.is_floating_point():
            total = torch.zeros(last.shape, dtype=torch.float64)
            for weights in kept:
                total += weights[name]
            means[name] = (total / len(kept)).to(last.dtype)
        else:
            means[name] = last
    return means


@contextmanager
def holding(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Lets a network have other weights while the block lasts, whatever ends it."""
    before = copied_weights(network)
    put_weights(network, weights)
    try:
        yield
    finally:
        put_weights(network, before)


def put_weights(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Copies what `copied_weights` gave into a network of the same kind; tied tensors stay tied."""
    own = network.state_dict()
    for name, value in weights.items():
        own[name].copy_(value)
