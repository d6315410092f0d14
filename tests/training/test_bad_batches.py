"""A batch with a loss or gradient that is not finite is left out where that is allowed, else it stops the run."""

import csv
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from s2s_lab.assemble.experiment import train
from s2s_lab.data.bucketing import BucketedBatches, Rows
from s2s_lab.faults import RunError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.objectives.base import Loss
from s2s_lab.training.objectives.cross_entropy import CrossEntropy
from tests.assemble.test_experiment import frozen
from tests.end_to_end.conftest import REPOSITORY

LONG = ["data.size=400", "trainer.validate_every=100", "trainer.max_steps=6", "trainer.try_largest_batch=false"]


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return torch.load(folder.checkpoints / "last.ckpt", weights_only=True)["state_dict"]


def equal(one: RunFolder, other: RunFolder) -> bool:
    a, b = weights(one), weights(other)
    return all(torch.equal(a[name], b[name]) for name in a)


def spoil(monkeypatch: pytest.MonkeyPatch, positions: set[int], how: Callable[[Loss], torch.Tensor]) -> list[list[int]]:
    """Spoils the loss of the training batches at these positions; gives the list that their sentences go to."""
    whole, found = CrossEntropy.forward, []
    calls = iter(range(10**6))

    def forward(self: CrossEntropy, network, batch, **options) -> Loss:
        loss = whole(self, network, batch, **options)
        if not self.training or next(calls) not in positions:
            return loss
        found.append(batch.index.tolist())
        return loss._replace(total=how(loss))

    monkeypatch.setattr(CrossEntropy, "forward", forward)
    return found


def without(monkeypatch: pytest.MonkeyPatch, positions: set[int]) -> None:
    """Leaves the training batches at these positions out of the data."""
    whole = BucketedBatches.__iter__

    def chosen(self: BucketedBatches) -> Iterator[Rows]:
        return (rows for place, rows in enumerate(whole(self)) if not self.shuffle or place not in positions)

    monkeypatch.setattr(BucketedBatches, "__iter__", chosen)


def nan_loss(loss: Loss) -> torch.Tensor:
    return loss.total * torch.nan


def infinite_gradient(loss: Loss) -> torch.Tensor:
    """A finite loss whose slope is infinite: the square root at 0."""
    return loss.total + (loss.total - loss.total).sqrt()


@pytest.mark.parametrize("how", [nan_loss, infinite_gradient])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adadelta", "rmsprop", "adamw"])
def test_a_bad_batch_is_as_if_it_had_not_been(
    optimizer: str, how: Callable[[Loss], torch.Tensor], tmp_path: Path
) -> None:
    """Weights, moments, schedule and the number of updates are those of a training without the batch."""
    words = [*LONG, f"optimizer={optimizer}", "learning_rate=cosine"]
    with pytest.MonkeyPatch.context() as patch:
        spoil(patch, {0, 3}, how)
        skipped = frozen(tmp_path / "a", *words, "trainer.skip_bad_batches=2")
        train(skipped)
    with pytest.MonkeyPatch.context() as patch:
        without(patch, {0, 3})
        reference = frozen(tmp_path / "b", *words)
        train(reference)
    assert equal(skipped, reference)
    found, expected = (torch.load(run.checkpoints / "last.ckpt", weights_only=True) for run in (skipped, reference))
    assert found["optimizer_states"][0]["param_groups"] == expected["optimizer_states"][0]["param_groups"]
    assert found["lr_schedulers"] == expected["lr_schedulers"]
    assert found["global_step"] == 6
    facts = skipped.read()
    assert (facts["steps"], facts["skipped_batches"]) == (6, 2)
    assert reference.read()["skipped_batches"] == 0


def test_curves_keep_their_steps_and_no_value_of_a_batch_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {2}, nan_loss)
    made = frozen(tmp_path, *LONG, "trainer.skip_bad_batches=1")
    train(made)
    with made.metrics_csv.open() as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert "nan" not in made.metrics_csv.read_text()


def test_with_accumulation_the_whole_update_is_left_out(tmp_path: Path) -> None:
    words = [*LONG, "trainer.accumulate=2", "trainer.max_steps=4"]
    with pytest.MonkeyPatch.context() as patch:
        spoil(patch, {2}, nan_loss)
        skipped = frozen(tmp_path / "a", *words, "trainer.skip_bad_batches=1")
        train(skipped)
    with pytest.MonkeyPatch.context() as patch:
        without(patch, {2, 3})
        reference = frozen(tmp_path / "b", *words)
        train(reference)
    assert equal(skipped, reference)


def test_one_more_than_allowed_stops_with_a_line_that_finds_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = spoil(monkeypatch, {2, 4}, nan_loss)
    made = frozen(tmp_path, *LONG, "trainer.skip_bad_batches=1", "trainer.validate_every=2")
    with pytest.raises(RunError) as caught:
        train(made)
    message = str(caught.value)
    assert "\n" not in message
    assert "optimizer step 4 (batch 4 of its epoch: loss;" in message  # one of the four before was left out
    assert "rows x" in message and "last good checkpoint is kept" in message
    assert ", ".join(map(str, found[1][:5])) in message
    log = made.log_file.read_text()
    assert "WARNING" in log and ", ".join(map(str, found[0][:5])) in log and "batch 2 of its epoch" in log
    assert made.read()["skipped_batches"] == 1
    kept = weights(made)
    assert all(torch.isfinite(value).all() for value in kept.values())
    assert (made.checkpoints / "best.ckpt").is_file()


@pytest.mark.parametrize("every", [1, 2])
def test_no_checkpoint_holds_weights_that_are_not_finite(
    every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update may overflow the weights although its gradient is finite."""
    whole, calls = torch.optim.Adam.step, iter(range(100))

    def overflowing(self: torch.optim.Adam, closure: Callable[[], torch.Tensor]) -> torch.Tensor:
        loss = whole(self, closure)
        if next(calls) == 2:
            self.param_groups[0]["params"][0].data.fill_(torch.inf)
        return loss

    monkeypatch.setattr(torch.optim.Adam, "step", overflowing)
    words = [f"trainer.validate_every={every}", "trainer.max_steps=9", "trainer.skip_bad_batches=9"]
    made = frozen(tmp_path, *words)
    with pytest.raises(RunError, match="the weights are not finite"):
        train(made)
    assert (made.checkpoints / "last.ckpt").is_file()
    for path in made.checkpoints.glob("*.ckpt"):
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(torch.isfinite(value).all() for value in state.values()), path


def test_the_count_survives_a_checkpoint() -> None:
    from s2s_lab.training.bad_batches import BadBatches

    logging.disable(logging.WARNING)
    one, other = BadBatches(allowed=2), BadBatches(allowed=2)
    parameter = torch.nn.Parameter(torch.ones(2))
    one.judge(float("nan"), [parameter], step=1)
    other.load_state_dict(one.state_dict())
    other.judge(float("inf"), [parameter], step=2)
    with pytest.raises(RunError, match="2 such batches were left out before"):
        other.judge(float("nan"), [parameter], step=3)
    logging.disable(logging.NOTSET)


FAULTY = """
import torch
from s2s_lab.training.objectives.cross_entropy import CrossEntropy


class Faulty(CrossEntropy):
    def forward(self, network, batch, **coins):
        loss = super().forward(network, batch, **coins)
        spoilt = self.training and bool(torch.isin(torch.tensor([7, 11]), batch.index).any())
        return loss._replace(total=loss.total * torch.nan) if spoilt else loss
"""


@pytest.mark.slow
def test_two_ranks_leave_out_what_one_process_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of one rank alone is spoilt; both ranks skip, and go on with equal weights."""
    (tmp_path / "faulty.py").write_text(FAULTY)
    monkeypatch.setenv("S2S_LAB_TRUST", "faulty")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{REPOSITORY}")
    monkeypatch.syspath_prepend(str(tmp_path))
    kept = {}
    for ranks in (1, 2):
        words = ["objective._target_=faulty.Faulty", "trainer.skip_bad_batches=4", "trainer.accelerator=cpu"]
        words += [f"trainer.devices={ranks}", f"trainer.strategy={'ddp' if ranks > 1 else 'auto'}"]
        made = frozen(tmp_path / str(ranks), *LONG, "trainer.max_steps=30", *words)
        subprocess.run([sys.executable, "-m", "s2s_lab.job", str(made.configuration_file)], check=True, timeout=300)
        kept[ranks] = weights(made)
        assert made.read()["skipped_batches"] > 0
        assert made.read()["steps"] == 30
    for name, value in kept[1].items():
        assert torch.allclose(value, kept[2][name], atol=1e-4), name
