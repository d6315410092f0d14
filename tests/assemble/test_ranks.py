"""Several ranks give what one gives: weights, losses, scores and counts."""

import itertools
import os
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file

from s2s_lab.assemble.experiment import train
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.callbacks.time_limit import TimeLimit
from s2s_lab.training.sample import Sample
from s2s_lab.training.strategies.hogwild import MEMORY, share
from s2s_lab.training.strategies.local_sgd import LocalSGDStrategy
from tests.assemble.ranks import frozen, in_ranks, train_in_ranks
from tests.assemble.test_experiment import curve

EXACT = [
    "trainer.precision=64-true",
    "trainer.matmul_precision=highest",
    "trainer.accelerator=cpu",
    "metrics=translation",
]


def trained(folder: Path, count: int, *words: str) -> RunFolder:
    return train_in_ranks(frozen(folder / str(count), *EXACT, f"trainer.devices={count}", *words), count)


def weights(made: RunFolder) -> dict[str, torch.Tensor]:
    state = torch.load(made.checkpoints / "last.ckpt", weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if name.startswith("network.")}


def test_ranks_give_the_weights_curves_and_scores_of_one(tmp_path: Path) -> None:
    """Nine rows in batches of 2, 2, 2, 2 and 1, steps of three batches and of two: some ranks have no row."""
    words = ["data.size=9", "data.batch.max_sentences=2", "data.batch.max_tokens=60", "trainer.accumulate=3"]
    alone, *shared = [trained(tmp_path, count, *words, "trainer.max_steps=6") for count in (1, 2, 3)]
    expected, facts = weights(alone), alone.read()
    for made in shared:
        found = weights(made)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.allclose(found[name], value, rtol=0, atol=1e-9), name
        for column in ("train/loss", "train/gradient_norm", "validation/loss", "validation/bleu"):
            assert curve(made, column) == pytest.approx(curve(alone, column), rel=1e-6), column
        own = made.read()
        assert (own["tokens"], own["steps"]) == (facts["tokens"], facts["steps"])
        assert own["best"]["step"] == facts["best"]["step"]


def test_a_step_is_the_mean_over_the_tokens_of_all_its_batches(tmp_path: Path) -> None:
    """Batches of unequal size, accumulated, make the update of one batch that holds them all."""
    words = ["data.size=23", "trainer.max_steps=1", "trainer.validate_every=1"]
    whole = trained(tmp_path / "whole", 1, *words, "data.batch.max_sentences=64")
    pieces = trained(tmp_path / "pieces", 1, *words, "data.batch.max_sentences=5", "trainer.accumulate=8")
    for name, value in weights(whole).items():
        assert torch.allclose(weights(pieces)[name], value, rtol=0, atol=1e-9), name
    assert curve(pieces, "train/loss") == pytest.approx(curve(whole, "train/loss"), rel=1e-6)


def test_local_sgd_that_averages_after_every_step_is_averaging_of_gradients(tmp_path: Path) -> None:
    words = ["optimizer=sgd", "optimizer.lr=0.5", "trainer.gradient_clip=null", "data.size=40"]
    averaged = trained(tmp_path / "ddp", 2, *words)
    local = trained(
        tmp_path / "local", 2, *words, "trainer.strategy=local_sgd", "trainer.averaging_start=1",
        "trainer.averaging_period=1",
    )  # fmt: skip
    for name, value in weights(averaged).items():
        assert torch.allclose(weights(local)[name], value, rtol=0, atol=1e-9), name


def watched(made: RunFolder, steps: list[int]) -> None:
    """Trains, and writes down after which steps every rank has the same parameters."""
    same = []

    def look(self: LocalSGDStrategy, *arguments: Any, **options: Any) -> Any:
        output = stepped(self, *arguments, **options)
        assert self.lightning_module is not None
        flat = torch.cat([parameter.detach().flatten() for parameter in self.lightning_module.parameters()])
        parts = [torch.empty_like(flat) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, flat)
        same.append(all(torch.equal(part, parts[0]) for part in parts))
        return output

    stepped = LocalSGDStrategy.optimizer_step
    LocalSGDStrategy.optimizer_step = look
    train(made)
    assert [step for step, equal in enumerate(same, start=1) if equal] == steps


def test_local_sgd_makes_ranks_equal_after_each_period_and_lets_them_differ_within(tmp_path: Path) -> None:
    made = frozen(
        tmp_path, *EXACT, "trainer=local_sgd", "trainer.precision=64-true", "trainer.averaging_start=2",
        "trainer.averaging_period=3", "trainer.max_steps=9", "trainer.validate_every=9",
    )  # fmt: skip
    in_ranks(watched, 2, made, [1, 2, 5, 8])
    assert len(curve(made, "validation/loss")) == 1


def test_hogwild_trains_on_shared_parameters_and_leaves_the_same_records(tmp_path: Path) -> None:
    made = frozen(
        tmp_path, "trainer=hogwild", "data.size=400", "optimizer.lr=0.01", "trainer.max_steps=40",
        "trainer.validate_every=20", "trainer.log_every=5",
    )  # fmt: skip
    train_in_ranks(made, 2)
    facts = made.read()
    assert (facts["status"], facts["steps"]) == ("finished", 40)
    losses = curve(made, "validation/loss")
    assert len(losses) == 2 and losses[1] < losses[0]
    assert len(curve(made, "train/loss")) == 8
    assert load_file(made.model / "model.safetensors")
    assert not list(MEMORY.glob("s2s-lab-*"))


def mapped(path: Path, where: Path) -> None:
    """Every rank adds its own number to the same memory."""
    rank = int(os.environ["LOCAL_RANK"])
    parameters = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(5, dtype=torch.float64))]
    share(parameters, path, keep=False)
    (where / str(rank)).touch()
    while len(list(where.iterdir())) < 2:
        time.sleep(0.01)
    with torch.no_grad():
        parameters[rank].add_(rank + 1)
    (where / f"{rank} done").touch()
    while len(list(where.iterdir())) < 4:
        time.sleep(0.01)
    assert parameters[0].tolist() == [1.0] * 3 and parameters[1].tolist() == [2.0] * 5


def test_shared_parameters_are_the_same_memory_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    share(
        [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(5).double())], tmp_path / "file", keep=True
    )
    (tmp_path / "seen").mkdir()
    in_ranks(mapped, 2, tmp_path / "file", tmp_path / "seen")


def pictured(made: RunFolder) -> None:
    """Trains, and looks whether the examples of the last validation have their attention, whoever decoded them."""
    shown = []

    def kept(self: Sample) -> Any:
        scores, examples = score(self)
        shown.append([(example.weights is not None, bool(example.source_tokens)) for example in examples])
        return scores, examples

    score = Sample.score
    Sample.score = kept
    train(made)
    assert shown[-1] == [(True, True)] * 4


def test_examples_have_their_attention_whichever_rank_decoded_them(tmp_path: Path) -> None:
    words = ["trainer=ddp_cpu", "callbacks.examples=4", "callbacks.attention_pictures=4", "trainer.max_steps=2"]
    in_ranks(pictured, 2, frozen(tmp_path, *words))


def out_of_time_on_rank_1(made: RunFolder) -> None:
    """Trains with a clock that is over after five questions, on rank 1 alone."""
    asked = itertools.count(1)
    is_over = property(lambda _: next(asked) >= 5 and torch.distributed.get_rank() == 1)
    with patch.object(TimeLimit, "is_over", is_over):
        train(made)


def test_all_ranks_end_at_the_same_step_when_the_time_of_one_is_over(tmp_path: Path) -> None:
    words = ("trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "trainer.max_steps=100")
    made = frozen(tmp_path, *words, "trainer.max_minutes=60", "trainer.validate_every=100")
    in_ranks(out_of_time_on_rank_1, 2, made)
    facts = made.read()
    assert (facts["status"], facts["stopped_by"], facts["steps"]) == ("finished", "max_minutes", 5)
    assert facts["best"]["step"] == 5
