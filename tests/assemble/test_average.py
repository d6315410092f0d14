"""The model of a training may be the mean of the weights of its last validations."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from s2s_lab.assemble.experiment import train
from s2s_lab.records.run_folder import RunFolder, find_runs
from s2s_lab.training.checkpoint_io import read_checkpoint
from s2s_lab.training.module import Seq2SeqModule
from tests.assemble.ranks import frozen as frozen_for_ranks
from tests.assemble.ranks import train_in_ranks
from tests.assemble.stopped_runs import FaultError, assert_same_run, stopped
from tests.assemble.test_experiment import curve, run

WORDS = ("trainer.max_steps=9", "trainer.validate_every=2", "metrics.monitor=loss", "encoder.dropout=0.3")
TIED = ("model=transformer_tiny", "embedding.embedding_size=8", "data.vocabulary.shared=true")


def model(made: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(made.model / "model.safetensors")


def of_checkpoint(made: RunFolder, name: str) -> dict[str, torch.Tensor]:
    state = read_checkpoint(made.checkpoints / name)["state_dict"]
    return {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}


def recorded(folder: Path, *words: str, monkeypatch: pytest.MonkeyPatch) -> tuple[RunFolder, list[dict[str, Any]]]:
    """A training, and the weights it had when each of its validations began."""
    seen = []
    inner = Seq2SeqModule.on_validation_start

    def noting(self: Seq2SeqModule) -> None:
        seen.append({name: value.clone() for name, value in self.network.state_dict().items()})
        inner(self)

    monkeypatch.setattr(Seq2SeqModule, "on_validation_start", noting)
    return run(folder, *words), seen


@pytest.mark.parametrize(("count", "steps"), [(1, [9]), (3, [6, 8, 9]), (20, [2, 4, 6, 8, 9])])
@pytest.mark.parametrize("more", [(), TIED])
def test_the_model_is_the_mean_of_the_weights_at_the_last_validations(
    count: int, steps: list[int], more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, seen = recorded(tmp_path, *WORDS, *more, f"trainer.average_last={count}", monkeypatch=monkeypatch)
    assert len(seen) == 5
    found = model(made)
    for name, value in found.items():
        expected = torch.stack([weights[name].double() for weights in seen[-count:]]).mean(dim=0)
        assert torch.allclose(value.double(), expected, rtol=1e-7, atol=1e-12), name
        assert torch.equal(value, seen[-1][name]) or count > 1, name
    average = made.read()["average"]
    assert average["steps"] == steps
    assert f"after the steps {', '.join(map(str, steps))}: validation/loss" in made.log_file.read_text()
    if count > 1:
        assert any(not torch.equal(value, seen[-1][name]) for name, value in found.items())
    else:
        assert average["value"] == pytest.approx(curve(made, "validation/loss")[-1], rel=1e-6)


def test_the_recorded_score_is_the_models_and_the_best_checkpoint_is_still_kept(tmp_path: Path) -> None:
    made = run(tmp_path / "a", *WORDS, "optimizer.lr=0.05", "trainer.average_last=3")
    facts = made.read()
    losses = curve(made, "validation/loss")
    assert len(losses) == 5 and facts["best"]["value"] == pytest.approx(min(losses), rel=1e-6)
    assert read_checkpoint(made.checkpoints / "best.ckpt")["global_step"] == facts["best"]["step"]
    last = of_checkpoint(made, "last.ckpt")
    assert any(not torch.equal(last[name], value) for name, value in model(made).items())
    still = run(tmp_path / "b", "optimizer=sgd", "optimizer.lr=0", f"init={made.path}", "metrics.monitor=loss")
    average = facts["average"]
    assert average["metric"] == "validation/loss" and average["value"] == average["scores"]["validation/loss"]
    assert average["value"] != pytest.approx(losses[-1], rel=1e-4)
    for name, value in average["scores"].items():
        assert value == pytest.approx(curve(still, name)[0], rel=1e-5), name


def test_averaging_changes_nothing_of_the_training(tmp_path: Path) -> None:
    with_average, without = (
        run(tmp_path / str(count), *WORDS, f"trainer.average_last={count}") for count in (2, "null")
    )
    for name in ("last.ckpt", "best.ckpt"):
        one, other = of_checkpoint(with_average, name), of_checkpoint(without, name)
        assert all(torch.equal(one[key], other[key]) for key in other)
    assert curve(with_average, "validation/loss") == curve(without, "validation/loss")
    assert "average" not in without.read()
    assert with_average.read()["job_hash"] != without.read()["job_hash"]


@pytest.mark.parametrize(
    ("how", "step"), [("interrupt", 5), ("kill", 7), ("fault in validation", 8), ("fault in validation", 9)]
)
def test_resuming_gives_bitwise_the_same_mean(
    how: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*WORDS, "trainer.average_last=3")
    whole = run(tmp_path / "whole", *words)
    made = stopped(tmp_path / "stopped", words, how=how, step=step, monkeypatch=monkeypatch)
    train(made, resume=True)
    assert_same_run(whole, made)
    assert made.read()["average"] == whole.read()["average"]


def test_a_fault_while_the_mean_is_scored_leaves_the_weights_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*WORDS, "trainer.average_last=3")
    whole = run(tmp_path / "whole", *words)

    def broken(self: Seq2SeqModule) -> None:
        if next(calls) > 5:  # the validations of the training are done
            raise FaultError
        inner(self)

    inner, calls = Seq2SeqModule.on_validation_epoch_start, itertools.count(1)
    with monkeypatch.context() as patch, pytest.raises(FaultError):
        patch.setattr(Seq2SeqModule, "on_validation_epoch_start", broken)
        run(tmp_path / "stopped", *words)
    (made,) = find_runs([tmp_path / "stopped"])
    last = of_checkpoint(whole, "last.ckpt")
    assert all(torch.equal(value, last[name]) for name, value in of_checkpoint(made, "last.ckpt").items())
    train(made, resume=True)
    assert all(torch.equal(value, model(whole)[name]) for name, value in model(made).items())
    assert made.read()["average"] == whole.read()["average"]


def test_two_ranks_give_the_mean_and_the_score_of_one(tmp_path: Path) -> None:
    exact = ("trainer.precision=64-true", "trainer.accelerator=cpu", "trainer.matmul_precision=highest")
    words = (*exact, "metrics.monitor=loss", "trainer.max_steps=6", "trainer.average_last=2")
    alone, shared = (
        train_in_ranks(frozen_for_ranks(tmp_path / str(count), *words, f"trainer.devices={count}"), count)
        for count in (1, 2)
    )
    for name, value in model(alone).items():
        assert torch.allclose(model(shared)[name], value, rtol=0, atol=1e-9), name
    one, other = (made.read()["average"] for made in (alone, shared))
    assert one["steps"] == other["steps"] == [4, 6]
    assert other["value"] == pytest.approx(one["value"], rel=1e-6)
