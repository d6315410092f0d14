"""The whole path as a user walks it: train, evaluate, translate, compare, report."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import yaml

from tests.end_to_end.conftest import SMALL, Commands
from tests.end_to_end.wandb_file import read_wandb

Trained = tuple[Commands, Path]


def test_a_tiny_run_learns_to_reverse(trained: Trained) -> None:
    commands, run = trained
    commands("evaluate", f"runs=[{run}]", "split=test", "decoding=greedy")
    (folder,) = (run / "evaluation" / "test").glob("greedy-*")
    scores = {score["name"]: score["value"] for score in json.loads((folder / "scores.json").read_text())["scores"]}
    assert scores["exact_match"] == 1.0
    sources = (folder / "sources.txt").read_text().splitlines()
    hypotheses = (folder / "hypotheses.txt").read_text().splitlines()
    assert [" ".join(reversed(line.split())) for line in sources] == hypotheses


def test_the_run_folder_holds_what_a_reader_needs(trained: Trained) -> None:
    _, run = trained
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["steps"] == 900
    assert facts["parameters"] > 0 and facts["tokens"] > 0 and facts["peak_memory_mb"] > 100
    assert facts["best"]["metric"] == "validation/exact_match"
    assert 0.8 < facts["data"]["fill"] <= 1.0
    assert {"torch", "lightning", "hydra-core"} <= set(facts["versions"])
    for name in (
        "config.yaml",
        "metrics.csv",
        "log.txt",
        "word_counts.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    ):
        assert (run / name).stat().st_size > 0, name
    assert not (run / "error.txt").exists()
    assert " => " in (run / "log.txt").read_text()
    model = {path.name for path in (run / "model").iterdir()}
    assert {"model.safetensors", "config.yaml"} <= model
    assert not [name for name in model if name.endswith((".pt", ".pkl", ".ckpt"))]


def test_curves_are_recorded(trained: Trained) -> None:
    _, run = trained
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for column in (
        "train/loss", "train/gradient_norm", "train/tokens_per_second", "train/learning_rate",
        "validation/loss", "validation/perplexity", "validation/exact_match",
    ):  # fmt: skip
        assert [row[column] for row in rows if row[column]], column
    validated = [int(row["step"]) for row in rows if row["validation/loss"]]
    assert validated == [300, 600, 900]
    losses = [float(row["validation/loss"]) for row in rows if row["validation/loss"]]
    assert losses[-1] < losses[0]


def test_wandb_holds_one_run_with_config_curves_table_images_and_artifact(trained: Trained) -> None:
    _, run = trained
    (file,) = run.glob("wandb/**/*.wandb")
    found = read_wandb(file)
    facts = json.loads((run / "run.json").read_text())
    assert found.run_ids == {facts["tracker"]["wandb"]}
    assert found.config["job"]["choices"]["model"] == "gru_attention"
    assert found.config["encoder"]["hidden_size"] == 64
    assert {"train/loss", "validation/loss", "validation/exact_match"} <= found.history_keys
    assert {"examples", "attention"} <= {key.split("/")[0] for key in found.history_keys}
    assert "model" in found.artifact_types
    assert list(run.glob("wandb/**/media/images/**/*.png"))
    assert list(run.glob("wandb/**/media/table/**/*.json"))


def test_the_model_folder_alone_translates_from_any_place(trained: Trained, tmp_path: Path) -> None:
    import shutil

    _, run = trained
    shutil.copytree(run / "model", tmp_path / "moved")
    elsewhere = Commands(tmp_path)
    lines = ["a b c", "j", "d e f g h i"]
    done = elsewhere("translate", "run=moved", text="\n".join(lines) + "\n")
    assert done.stdout.splitlines() == [" ".join(reversed(line.split())) for line in lines]


def test_translate_gives_one_line_for_each_line_in_order(trained: Trained) -> None:
    commands, run = trained
    vocabulary = [word for word in json.loads((run / "word_counts.json").read_text())]
    chooser = random.Random(0)
    lines = [" ".join(chooser.choices(vocabulary, k=chooser.randint(2, 7))) for _ in range(300)]
    lines[7] = lines[250] = ""
    done = commands("translate", f"run={run}", "batch_sentences=8", "decoding=greedy", text="\n".join(lines) + "\n")
    outputs = done.stdout.split("\n")[:-1]
    assert len(outputs) == len(lines)
    right = [" ".join(reversed(line.split())) == output for line, output in zip(lines, outputs, strict=True)]
    assert outputs[7] == outputs[250] == ""
    assert sum(right) >= 0.95 * len(lines)


def test_translate_gives_nbest_and_attention(trained: Trained) -> None:
    commands, run = trained
    words = list(json.loads((run / "word_counts.json").read_text()))[:4]
    commands_text = " ".join(words) + "\n"
    done = commands(
        "translate", f"run={run}", "nbest=3", "decoding.num_hypotheses=3", "attention_file=a.jsonl", text=commands_text
    )
    scored = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(scored) == 3
    assert [float(score) for score, _ in scored] == sorted((float(score) for score, _ in scored), reverse=True)
    (attention,) = [json.loads(line) for line in (commands.folder / "a.jsonl").read_text().splitlines()]
    weights = np.asarray(attention["weights"])
    assert weights.shape == (len(attention["target"]), len(attention["source"]))
    assert np.allclose(weights.sum(1), 1.0, atol=1e-2)


def test_input_that_is_no_utf8_still_gives_one_line_each(trained: Trained) -> None:
    commands, run = trained
    done = commands("translate", f"run={run}", "decoding=greedy", text=b"\xff\xfe\x00 a\nb\n\n")
    assert len(done.stdout.split("\n")) == 4


def test_beam_and_greedy_are_compared_and_reported(trained: Trained) -> None:
    commands, run = trained
    commands("evaluate", "-m", f"runs=[{run}]", "decoding=greedy,beam")
    done = commands("compare", str(run), "--json", "facts.json")
    assert "gru_attention" in done.stdout
    assert json.loads((commands.folder / "facts.json").read_text())
    commands("report", str(run), "-o", "page.html")
    assert (commands.folder / "page.html").stat().st_size > 1_000_000


def test_a_sweep_gives_each_job_its_folder_seed_and_tracker_run(commands: Commands) -> None:
    commands(
        "train", "-m", *SMALL, "model=rnn,gru", "seed=1,2", "trainer.max_steps=4", "trainer.validate_every=2",
        "trainer.validation_sentences=8", "trainer.log_every=1", "experiment_name=sweep",
    )  # fmt: skip
    runs = [json.loads(path.read_text()) for path in sorted(commands.folder.glob("outputs/sweep/*/run.json"))]
    assert {(run["name"], run["seed"]) for run in runs} == {("rnn", 1), ("rnn", 2), ("gru", 1), ("gru", 2)}
    assert len({run["tracker"]["wandb"] for run in runs}) == 4
    assert len({run["row_hash"] for run in runs}) == 2
    assert len({run["job_hash"] for run in runs}) == 4
    for path in commands.folder.glob("outputs/sweep/*/"):
        (file,) = path.glob("wandb/**/*.wandb")
        assert len(read_wandb(file).run_ids) == 1


def test_a_frozen_configuration_names_everything(trained: Trained) -> None:
    _, run = trained
    configuration = yaml.safe_load((run / "config.yaml").read_text())
    assert configuration["job"]["choices"]["model"] == "gru_attention"
    assert "${" not in (run / "config.yaml").read_text()
