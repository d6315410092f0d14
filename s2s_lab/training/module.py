"""The LightningModule: one training logic over any network, objective, optimizer and schedule."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as pl
import torch
from torch.optim import Optimizer
from torchmetrics import SumMetric

from s2s_lab.data.batch import Batch
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import decode_batches
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.training.bad_batches import BadBatches
from s2s_lab.training.learning_rates.base import Schedule
from s2s_lab.training.objectives.base import Objective
from s2s_lab.training.sample import Example, Sample
from s2s_lab.training.strategies.gradient import clip_gradient
from s2s_lab.training.teacher_forcing import TeacherForcing
from s2s_lab.training.throughput import Throughput

VALIDATION, SAMPLE = 0, 1  # positions of the two validation loaders: the whole split for the loss, a sample to decode


class Seq2SeqModule(pl.LightningModule):
    """Trains a sequence-to-sequence network.

    Loss of a step: the objective summed over the real target tokens of this rank's rows, divided by the real target
    tokens of all global batches of the optimizer step; so the gradient is the mean over the tokens of the step on any
    number of ranks, however many batches it is accumulated from.

    Args:
        network: the network.
        objective: the loss.
        optimizer: factory, from parameters to a torch optimizer.
        schedule: learning-rate schedule.
        teacher_forcing: probability of feeding the reference, as a function of the optimizer step, and its coin.
        sample: decodes and scores part of the validation split.
        monitor: `loss` or the name of one of the sample's metrics; chooses checkpoints.
        total_steps: optimizer steps of the whole training, for the schedule.
        gradient_clip: largest norm of the whole gradient, or None.
        log_every: optimizer steps between two rows of the training curves.
        skip_bad_batches: updates with a gradient that is not finite that may be left out in the whole training.
        accumulate: batches to an optimizer step; the gradients are divided by it again after each of them.
    """

    def __init__(
        self,
        *,
        network: Seq2Seq,
        objective: Objective,
        optimizer: Callable[[Iterable[torch.nn.Parameter]], Optimizer],
        schedule: Schedule,
        teacher_forcing: TeacherForcing,
        sample: Sample,
        monitor: str,
        total_steps: int,
        gradient_clip: float | None,
        log_every: int,
        skip_bad_batches: int = 0,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.optimizer_factory = optimizer
        self.schedule = schedule
        self.teacher_forcing = teacher_forcing
        self.sample = sample
        self.monitor = f"validation/{monitor}"
        self.higher_is_better = sample.higher_is_better(monitor)
        self.total_steps = total_steps
        self.gradient_clip = gradient_clip
        self.log_every, self.accumulate = log_every, accumulate
        self.bad_batches = BadBatches(allowed=skip_bad_batches)
        self.throughput = Throughput()
        self.step_loss: torch.Tensor | float = 0.0
        self.step_parts: dict[str, torch.Tensor] = {}
        self.steps_logged = 0
        self.validation_nll = SumMetric(nan_strategy="disable").set_dtype(torch.float64)  # NaN is no loss of 0
        self.validation_tokens = SumMetric().set_dtype(torch.float64)
        self.examples: list[Example] = []
        self.validation_schedulers: list[Any] = []
        self.updating = False  # from the moment an update begins until it is logged
        self._schedules_held: list[Any] = []

    # Training.

    def configure_optimizers(self) -> dict[str, Any]:
        """Builds the optimizer and its schedule."""
        optimizer = self.optimizer_factory(parameter for parameter in self.parameters() if parameter.requires_grad)
        scheduler = self.schedule.scheduler(optimizer, self.total_steps, higher_is_better=self.higher_is_better)
        if self.schedule.interval == "validation":
            self.validation_schedulers = [scheduler]
            for state in self._schedules_held:
                scheduler.load_state_dict(state)
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_fit_start(self) -> None:
        """Lets ranks draw their own noise: dropout, and the coins of scheduled sampling."""
        if self.global_rank > 0:
            torch.manual_seed(torch.initial_seed() + self.global_rank)

    def on_train_start(self) -> None:
        """Remembers the steps done before, in a training that goes on."""
        self.steps_logged = self.global_step

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Starts the clock after a validation."""
        self.throughput.start()

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        """Gives the loss of this rank's rows; see the class."""
        ratio = self.teacher_forcing(self.global_step)
        loss = self.objective(self.network, batch, teacher_forcing=ratio, coin=self.teacher_forcing.coin)
        share = 0.0 if batch.placeholder else 1.0 / batch.step_tokens
        self.step_loss = self.step_loss + loss.total.detach() * share
        self.step_parts = {name: self.step_parts.get(name, 0.0) + part * share for name, part in loss.parts.items()}
        end_symbols = batch.global_rows * len(batch.sources)
        self.throughput.count(batch.global_source_tokens - end_symbols + batch.global_tokens)
        scaled = loss.total * (share * self.trainer.world_size * self.accumulate)
        self.bad_batches.see(batch, scaled, position=batch_index)
        return scaled

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        """Logs an optimizer step that is done: the mean loss over its tokens, of all ranks."""
        self._log_step()
        self.updating = False

    def _log_step(self) -> None:
        self.throughput.mark()
        if self.bad_batches.skipping:
            self.step_loss, self.step_parts = 0.0, {}
        if self.global_step == self.steps_logged:
            return
        mean, self.step_loss, self.steps_logged = self.step_loss, 0.0, self.global_step
        parts, self.step_parts = self.step_parts, {}
        if self.global_step % self.log_every == 0:
            assert isinstance(mean, torch.Tensor)
            self.log("train/loss", self.trainer.strategy.reduce(mean, reduce_op="sum"), batch_size=1)
            for name, part in parts.items():
                self.log(f"train/{name}", self.trainer.strategy.reduce(part, reduce_op="sum"), batch_size=1)
            self.log("train/tokens_per_second", self.throughput.rate(), batch_size=1)
            ratio = self.teacher_forcing(self.global_step - 1)
            if ratio < 1.0:
                self.log("train/teacher_forcing", ratio, batch_size=1)

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clips the gradient's norm and logs what the update is made with; see BadBatches for one that is not finite.

        Raises:
            RunError: at a gradient that is not finite and may not be left out.
        """
        norm = float(clip_gradient(self, self.gradient_clip or math.inf))
        step = self.global_step + 1
        self.bad_batches.judge(norm, self.parameters(), step=step)
        if step % self.log_every == 0 and not self.bad_batches.skipping:
            self.log("train/gradient_norm", norm, batch_size=1)
            self.log("train/learning_rate", optimizer.param_groups[0]["lr"], batch_size=1)
        self.updating = True

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Makes the update, and does not count it if it was left out."""
        super().optimizer_step(*args, **kwargs)
        if self.bad_batches.skipping:
            self.bad_batches.undo_count(self.trainer)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Moves the schedule, unless the update was left out."""
        if not self.bad_batches.skipping:
            super().lr_scheduler_step(scheduler, metric)

    # Validation.

    def on_validation_epoch_start(self) -> None:
        """Stops the clock and forgets the sample of the validation before."""
        self.throughput.pause()
        self.sample.clear()

    def validation_step(self, batch: Batch, batch_index: int, dataloader_idx: int = 0) -> None:
        """Sums the loss of the split, or decodes the sample."""
        if dataloader_idx == VALIDATION:
            loss = self.objective(self.network, batch)
            self.validation_nll.update(loss.negative_log_likelihood)
            self.validation_tokens.update(loss.tokens)
            return
        if batch.placeholder:
            return
        pictured = self.sample.pictured
        for _, hypotheses, _ in decode_batches(
            self.network, self.sample.strategy, [batch], device=self.device, weights_of=pictured
        ):
            self.sample.add(batch, hypotheses)

    def on_validation_epoch_end(self) -> None:
        """Logs loss, perplexity and the sample's scores, and lets schedules that wait for them move."""
        values = self.validation_values()
        # Every rank has the same values; the largest of them is any of them.
        logged = {name: value.to(self.device, torch.float32) for name, value in values.items()}
        self.log_dict(logged, sync_dist=True, reduce_fx="max")
        for scheduler in self.validation_schedulers:
            scheduler.step(float(values[self.monitor]))

    def validation_values(self) -> dict[str, torch.Tensor]:
        """Gives loss, perplexity and the sample's scores of the batches seen by all ranks, and forgets the sums."""
        mean = self.validation_nll.compute() / self.validation_tokens.compute()
        self.validation_nll.reset()
        self.validation_tokens.reset()
        values = {"validation/loss": mean, "validation/perplexity": mean.exp()}
        scores, self.examples = self.sample.score()
        return {**values, **{f"validation/{name}": torch.tensor(value) for name, value in scores.items()}}

    # Checkpoints.

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the state of schedules that move with validations, tokens, updates left out, and vocabularies."""
        checkpoint["validation_schedulers"] = [scheduler.state_dict() for scheduler in self.validation_schedulers]
        checkpoint["tokens_seen"] = self.throughput.tokens
        checkpoint["vocabularies"] = self._vocabularies()
        checkpoint["bad_batches"] = self.bad_batches.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes back what on_save_checkpoint added; the schedules wait for their optimizer.

        Raises:
            RequestError: if the vocabularies are not those of the weights.
        """
        if checkpoint.get("vocabularies", self._vocabularies()) != self._vocabularies():
            raise RequestError("the vocabularies made from the training data are not those that the weights are for")
        self.throughput.restore(checkpoint["tokens_seen"], 0.0)
        self.bad_batches.load_state_dict(checkpoint["bad_batches"])
        self._schedules_held = checkpoint["validation_schedulers"]
        for scheduler, state in zip(self.validation_schedulers, self._schedules_held, strict=False):
            scheduler.load_state_dict(state)  # where a strategy restores after it has made the optimizer

    def _vocabularies(self) -> str:
        tokens = [list(side.vocabulary.tokens) for side in (self.sample.source, self.sample.target)]
        return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()
