"""Wrong requests: one line on standard error, exit code 2, nothing trained."""

import gzip
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Commands

GOOD = "a b c\nb c\nc a\n"


def parallel(folder: Path, **files: bytes) -> list[str]:
    """Writes a small corpus, some files replaced, and gives the words that name it."""
    contents = {
        f"{split}_{side}": GOOD.encode() for split in ("train", "validation", "test") for side in ("source", "target")
    }
    for name, content in {**contents, **files}.items():
        (folder / f"{name}.txt").write_bytes(content)
    splits = ("train", "validation", "test")
    return [
        "data=parallel", "tokenizer=whitespace", "data.vocabulary.shared=false", "data.vocabulary.min_freq=1",
        *(f"data.{split}.{side}={split}_{side}.txt" for split in splits for side in ("source", "target")),
        "debug=tiny", "logger=csv",
    ]  # fmt: skip


def fails(commands: Commands, name: str, *words: str, expected: str) -> None:
    done = commands(name, *words, code=2)
    lines = [line for line in done.stderr.splitlines() if line.startswith("s2s-")]
    assert "Traceback" not in done.stderr
    assert len(lines) == 1 and expected in lines[0], done.stderr
    assert not list(commands.folder.glob("outputs/**/run.json"))


def test_bad_data_is_named(commands: Commands) -> None:
    words = parallel(commands.folder, test_source=b"a b\n\xff\xfe\nc\n")
    fails(commands, "train", *words, expected="test_source.txt, line 2: not valid UTF-8")


def test_a_small_corpus_of_ones_own_trains_plain_and_zipped(commands: Commands) -> None:
    words = parallel(commands.folder)
    with gzip.open(commands.folder / "zipped.txt.gz", "wt", encoding="utf-8") as file:
        file.write(GOOD)
    commands("train", *words, "data.train.source=zipped.txt.gz", "trainer.max_steps=2", "trainer.validate_every=1")
    assert list(commands.folder.glob("outputs/parallel/*/model/model.safetensors"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["encoder.hidden_sise=3"], "did you mean encoder.hidden_size?"),
        (["model=gru", "decoder=input_feeding"], "input_feeding"),
        (["data=multi30k", "paths.data=nowhere"], "nowhere"),
        (["--config-dir", "nowhere"], "nowhere"),
        (["--shell-completion"], "install=SHELL"),
        (["-m", "seed=1,2", "--cfg", "job"], "-m: --cfg and --info show one job"),
        (["-m", "seed=1,2", "+hydra.sweeper.trials=5"], "hydra.sweeper.trials belongs to a search"),
        (
            ["-m", "model=gru,lstm_attention", "bridge=copy", "encoder.hidden_size=64"],
            "in the job",
        ),
    ],
)
def test_wrong_words_end_before_any_job(commands: Commands, words: list[str], expected: str) -> None:
    fails(commands, "train", *words, expected=expected)
    assert not list(commands.folder.glob("outputs/**/config.yaml"))


def test_other_commands_name_what_is_missing(commands: Commands) -> None:
    fails(commands, "evaluate", "runs=[nowhere]", expected="nowhere")
    fails(commands, "evaluate", expected="runs=[DIR,...] is missing")
    fails(commands, "translate", "run=nowhere", expected="nowhere")
    fails(commands, "translate", expected="run")
    fails(commands, "compare", "nowhere", expected="nowhere")
    fails(commands, "report", "nowhere", "-o", "page.html", expected="nowhere")
