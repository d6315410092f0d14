"""A training that starts from the weights of another run."""

import re
from pathlib import Path

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.checkpoint_io import read_checkpoint
from tests.assemble.test_experiment import run

CORPORA = {"first": "a b c d", "second": "d e a f"}


def corpus(folder: Path, name: str) -> list[str]:
    """Words that choose a small corpus whose tokens are those of CORPORA[name]."""
    tokens = CORPORA[name].split()
    folder.mkdir(exist_ok=True)
    for split, count in (("train", 40), ("validation", 8)):
        lines = [
            " ".join(tokens[(row + 3 * place) % len(tokens)] for place in range(2 + row % 3)) for row in range(count)
        ]
        for side in ("source", "target"):
            (folder / f"{name}.{split}.{side}").write_text("\n".join(lines) + "\n")
    files = [
        f"data.{split}.{side}={folder}/{name}.{split}.{side}"
        for split in ("train", "validation")
        for side in ("source", "target")
    ]
    return ["data=parallel", "tokenizer=whitespace", *files]


def vocabulary(made: RunFolder) -> list[str]:
    return sorted(made.model.glob("*.vocabulary.txt"))[0].read_text().split()


@pytest.fixture
def first(tmp_path: Path) -> RunFolder:
    return run(tmp_path / "first", *corpus(tmp_path / "texts", "first"))


def test_it_starts_at_those_weights_with_their_vocabulary_and_all_else_new(
    first: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = corpus(tmp_path / "texts", "second")
    second = run(tmp_path / "second", *words, f"init={first.path}", "optimizer=sgd", "optimizer.lr=0", "seed=5")
    told = capsys.readouterr().err
    for side in ("source", "target"):
        assert re.search(rf"\d+% of the {side} tokens are unknown to the vocabulary of init={first.path}\n", told)
    assert vocabulary(second) == vocabulary(first)
    assert "e" not in vocabulary(second)
    one, other = (read_checkpoint(made.checkpoints / name)["state_dict"] for made, name in
                  ((first, "best.ckpt"), (second, "last.ckpt")))  # fmt: skip
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert second.read()["steps"] == 4
    assert second.read()["row_hash"] != run(tmp_path / "third", *words).read()["row_hash"]


def test_a_model_folder_alone_is_enough(first: RunFolder, tmp_path: Path) -> None:
    moved = first.model.rename(tmp_path / "model-alone")
    made = run(tmp_path / "second", *corpus(tmp_path / "texts", "second"), f"init={moved}")
    assert made.read()["status"] == "finished"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["decoder.hidden_size=4"], "the network needs"),
        (["tokenizer=character"], "tokenizer"),
        (["data.vocabulary.shared=false"], "shared"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_job(
    words: list[str], reason: str, first: RunFolder, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=reason):
        run(tmp_path / "second", *corpus(tmp_path / "texts", "second"), f"init={first.path}", *words)
    assert not (tmp_path / "second").exists()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no model"):
        run(tmp_path / "second", f"init={tmp_path}")


def test_pairs_that_are_left_out_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = corpus(tmp_path / "texts", "first")
    run(tmp_path / "whole", *words)
    assert "left out" not in capsys.readouterr().err
    source = tmp_path / "texts" / "first.train.source"
    source.write_text("\n" * 3 + "".join(source.read_text().splitlines(keepends=True)[3:]))
    run(tmp_path / "second", *words)
    assert "3 of 40 training pairs are left out (3 empty)" in capsys.readouterr().err
    source.write_text("\n" * 40)
    with pytest.raises(RequestError, match=r"every training pair is filtered away \(40 empty\)$"):
        run(tmp_path / "third", *words)
