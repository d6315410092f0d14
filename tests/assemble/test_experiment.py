"""Every option that a training is made of trains a few steps, in this process."""

import csv
import json
from pathlib import Path

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs
from s2s_lab.assemble.experiment import train
from s2s_lab.assemble.job import check_parts, freeze
from s2s_lab.assemble.options import groups
from s2s_lab.assemble.training_record import end_loggers
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder

TINY = [
    "data=reverse", "data.size=60", "embedding.embedding_size=6", "encoder.hidden_size=8", "decoder.hidden_size=8",
    "data.batch.max_sentences=16", "trainer.max_steps=4", "trainer.validate_every=2", "trainer.validation_sentences=6",
    "trainer.log_every=1", "trainer.num_threads=1", "callbacks=quiet",
]  # fmt: skip


def frozen(folder: Path, *words: str, logger: str = "csv") -> RunFolder:
    """The run folder of a tiny training that is ready to start."""
    other_data = any(word.startswith("data=") for word in words)
    configuration = compose_jobs(
        "train",
        [
            *(word for word in TINY if not (other_data and word.startswith("data.size"))),
            f"logger={logger}",
            *words,
            f"paths.outputs={folder}",
        ],
        multirun=False,
        folder=None,
    )[0]
    check_parts(configuration)
    return freeze(configuration, configuration.hydra).create_folder()


def run(folder: Path, *words: str, logger: str = "csv") -> RunFolder:
    made = frozen(folder, *words, logger=logger)
    end_loggers(made, train(made))
    return made


def curve(made: RunFolder, column: str) -> list[float]:
    with made.metrics_csv.open() as file:
        return [float(row[column]) for row in csv.DictReader(file) if row.get(column)]


OPTIONS = [
    (group, option)
    for group in ("model", "optimizer", "learning_rate", "teacher_forcing", "objective", "initialization", "decoding")
    for option in groups()[group]
    if option != "forced"  # refused, as it finds no outputs
]


TIED = ("transformer_tiny", "vaswani_2017")  # models whose embeddings serve both sides and the output


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_trains(group: str, option: str, tmp_path: Path) -> None:
    more = {
        **{key: ["decoding.budget=10"] for key in ("exact", "best_first")},
        **{key: ["embedding.embedding_size=8", "data.vocabulary.shared=true"] for key in TIED},
    }
    made = run(tmp_path, f"{group}={option}", *more.get(option, []))
    facts = made.read()
    assert facts["status"] == "finished" and facts["steps"] == 4
    assert len(curve(made, "train/loss")) == 4
    assert all(value > 0 for value in curve(made, "train/gradient_norm"))
    assert len(curve(made, "validation/exact_match")) == 2


def test_a_strategy_that_scores_given_outputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"^decoding=forced: it scores given outputs, expected one that finds them$"):
        frozen(tmp_path, "decoding=forced")


@pytest.mark.parametrize("option", ["tensorboard", "wandb_tensorboard"])
def test_tensorboard_is_an_option(option: str, tmp_path: Path) -> None:
    made = run(tmp_path, "callbacks=default", "callbacks.progress=false", logger=option)
    assert list(made.path.glob("tensorboard/**/events.*"))
    assert bool(list(made.path.glob("wandb/**/*.wandb"))) == (option == "wandb_tensorboard")


def test_bf16_trains_to_about_the_same_first_losses_as_float32(tmp_path: Path) -> None:
    full = curve(run(tmp_path / "a"), "train/loss")
    half = curve(run(tmp_path / "b", "trainer=bf16"), "train/loss")
    assert half != full
    assert half == pytest.approx(full, rel=0.02)


def test_early_stopping_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    made = run(tmp_path, "optimizer.lr=0", "trainer.max_steps=40", "trainer.patience=2")
    facts = made.read()
    assert facts["steps"] == 6
    assert facts["under_trained"]["flag"] is False


def test_accumulation_counts_optimizer_steps(tmp_path: Path) -> None:
    made = run(tmp_path, "trainer.accumulate=2")
    assert made.read()["steps"] == 4
    assert len(curve(made, "validation/loss")) == 2


def test_epochs_are_whole_where_the_last_update_of_each_has_fewer_batches(tmp_path: Path) -> None:
    words = ("trainer.max_steps=-1", "trainer.max_epochs=2", "trainer.validate_every=null", "trainer.accumulate=3")
    facts = run(tmp_path, *words).read()
    assert facts["steps"] == 2 * 2  # of 4 batches an epoch 3 and 1
    assert facts["epochs"] == 2


def test_epochs_limit_a_training_and_each_is_validated(tmp_path: Path) -> None:
    made = run(tmp_path, "trainer.max_steps=-1", "trainer.max_epochs=3", "trainer.validate_every=null")
    facts = made.read()
    assert facts["steps"] == 3 * 4  # 60 pairs in batches of 16
    assert facts["epochs"] == 3
    assert len(curve(made, "validation/loss")) == 3


def test_a_last_validation_comes_at_the_last_step(tmp_path: Path) -> None:
    made = run(tmp_path, "trainer.max_steps=5", "trainer.validate_every=3")
    with made.metrics_csv.open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["validation/loss"]]
    assert steps == [3, 5]


def test_the_model_kept_is_the_best_checkpoints(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    made = run(tmp_path, "metrics.monitor=loss", "optimizer=sgd", "optimizer.lr=50.0", "trainer.max_steps=8")
    losses = curve(made, "validation/loss")
    assert made.read()["best"]["value"] == pytest.approx(min(losses), rel=1e-5)
    best = torch.load(made.checkpoints / "best.ckpt", weights_only=True)
    assert best["global_step"] == made.read()["best"]["step"]
    kept = load_file(made.model / "model.safetensors")
    assert all(torch.equal(kept[name], best["state_dict"][f"network.{name}"]) for name in kept)


def test_checkpoints_hold_plain_containers_and_the_tokens_seen(tmp_path: Path) -> None:
    made = run(tmp_path)
    last = torch.load(made.checkpoints / "last.ckpt", weights_only=True)
    assert last["global_step"] == 4
    assert last["tokens_seen"] == made.read()["tokens"]


def test_two_workers_give_the_batches_of_none(tmp_path: Path) -> None:
    assert curve(run(tmp_path / "a"), "train/loss") == curve(run(tmp_path / "b", "data.num_workers=2"), "train/loss")


def test_the_job_hash_leaves_out_where_and_how_it_is_logged(tmp_path: Path) -> None:
    first = json.loads(run(tmp_path / "a").run_file.read_text())
    elsewhere = json.loads(run(tmp_path / "b", "name=other", "callbacks.progress=false").run_file.read_text())
    other_seed = json.loads(run(tmp_path / "c", "seed=2").run_file.read_text())
    assert first["job_hash"] == elsewhere["job_hash"] != other_seed["job_hash"]
    assert first["row_hash"] == other_seed["row_hash"]


def test_of_equally_good_checkpoints_the_latest_counts(tmp_path: Path) -> None:
    made = run(tmp_path, "optimizer.lr=1e-6", "metrics.monitor=exact_match")  # nothing is right at any validation
    assert curve(made, "validation/exact_match") == [0.0, 0.0]
    assert made.read()["best"]["step"] == 4
    best = torch.load(made.checkpoints / "best.ckpt", weights_only=True)
    assert best["global_step"] == 4


@pytest.mark.parametrize(("words", "step"), [(["optimizer.lr=1e-3"], 4), (["optimizer.lr=5.0"], 2)])
def test_the_best_checkpoint_is_the_one_with_the_best_value(tmp_path: Path, words: list[str], step: int) -> None:
    made = run(tmp_path, "metrics.monitor=loss", *words)
    losses = curve(made, "validation/loss")
    assert losses[step // 2 - 1] == min(losses) < max(losses)
    assert made.read()["best"]["step"] == step
    assert torch.load(made.checkpoints / "best.ckpt", weights_only=True)["global_step"] == step
