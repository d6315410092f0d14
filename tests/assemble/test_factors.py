"""A model of source tokens with factors, from its files to its translations."""

import random
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import evaluate_runs
from s2s_lab.assemble.job import check_parts
from s2s_lab.assemble.translation import translate_lines
from s2s_lab.data.tokenizers.factored import MARK
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from tests.assemble.test_experiment import run

FACTORED = [
    "tokenizer@source_tokenizer=factored_whitespace", "embedding=factored", "embedding.factor_embedding_size=3",
    "data.vocabulary.shared=false", "model=gru_attention",
]  # fmt: skip


def settings(name: str, *words: str) -> dict[str, Any]:
    words = ("decoding=greedy", "decoding.max_length=9", "accelerator=cpu", "num_threads=1", *words)
    return plain(compose_jobs(name, list(words), multirun=False, folder=None)[0])


def translated(made: RunFolder, given: list[str], *words: str) -> list[str]:
    return [texts[0] for texts, _ in translate_lines(given, settings("translate", f"run={made.model}", *words))]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files whose words have two factors; the words of the command line that name them."""
    return written(tmp_path_factory.mktemp("corpus"))


def written(folder: Path, validation: str | None = None) -> list[str]:
    chance, words = random.Random(1), ["data=parallel", "data.vocabulary.min_freq=1", "tokenizer=whitespace"]
    for split, size in {"train": 60, "validation": 8, "test": 10}.items():
        lines = [
            [(chance.choice("abcd"), chance.choice("NV"), chance.choice("xy")) for _ in range(3)] for _ in range(size)
        ]
        texts = [" ".join(MARK.join(word) for word in line) for line in lines]
        if split == "validation" and validation is not None:
            texts[4] = validation
        (folder / f"{split}.source").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        targets = (" ".join(word[0] for word in line if word[1] == "N") or "none" for line in lines)
        (folder / f"{split}.target").write_text("".join(f"{text}\n" for text in targets), encoding="utf-8")
        words += [f"data.{split}.{side}={folder / f'{split}.{side}'}" for side in ("source", "target")]
    return [*words, *FACTORED, "source_tokenizer.written=2", "source_tokenizer.derived=[]"]


def test_written_factors_from_files_to_translations(tmp_path: Path, corpus: list[str]) -> None:
    made = run(tmp_path, *corpus, "output=pointer_generator", "embedding.factor_embedding_size=[3,2]")
    asked = settings("evaluate", f"runs=[{made.path}]", "attention_sentences=2")
    ((_, folder, _),) = evaluate_runs(asked)
    given = (folder / "sources.txt").read_text(encoding="utf-8").splitlines()
    outputs = (folder / "hypotheses.txt").read_text(encoding="utf-8").splitlines()
    assert MARK in given[0] and translated(made, given) == outputs
    assert [translated(made, [line])[0] for line in given] == outputs
    for line, fault in (("a b", "'a' has 0 factors, expected 2"), (f"a{MARK}N", "has 1 factors, expected 2")):
        with pytest.raises(RequestError, match=f"^line 2: .*{fault}"):
            translated(made, [given[0], line])
    assert translated(made, ["", given[0]])[0] == ""
    unknown = f"unseen{MARK}Z{MARK}x"
    assert len(translated(made, [unknown], "max_source_length=1")) == 1


def test_derived_factors_serve_any_corpus(tmp_path: Path) -> None:
    words = ["data=reverse", *FACTORED, "embedding.combine=summed", "source_tokenizer.position=true"]
    made = run(tmp_path, *words, "data.size=60")
    ((_, folder, _),) = evaluate_runs(settings("evaluate", f"runs=[{made.path}]", "shortlist=true"))
    assert (folder / "hypotheses.txt").is_file()
    outputs = translated(made, ["a b c", "C d"])
    assert outputs == [translated(made, [line])[0] for line in ("a b c", "C d")]
    assert len(translated(made, ["a b c"], "wait_k=1", "precision=int8")) == 1


def test_a_token_without_its_factors_is_named_with_file_and_line(tmp_path: Path) -> None:
    words = written(tmp_path, validation=f"a{MARK}N{MARK}x b")
    with pytest.raises(RequestError, match=r"validation\.source, line 5: 'b' has 0 factors, expected 2"):
        run(tmp_path / "runs", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["embedding=separate"], "the source's tokenizer gives 2 factors, but the embedding reads none; .*=factored"),
        (["tokenizer=factored_whitespace"], "the target's tokenizer gives factors, which sources alone can have"),
        (["embedding.factor_embedding_size=[1,2,3]"], "has 3 widths, expected 2, one for each factor"),
        (["source_tokenizer.derived=[]"], "tokenizer.written is 0 without another factor"),
        (["source_tokenizer.derived=[color]"], r"tokenizer.derived is \['color'\], expected a list of case"),
    ],
)
def test_misfits_are_refused_before_anything_is_read(words: list[str], message: str) -> None:
    words = ["data=reverse", *(word for word in FACTORED if "factor_emb" not in word), *words]
    words = [word for word in words if word != "embedding=factored" or "embedding=separate" not in words]
    with pytest.raises(RequestError, match=message) as caught:
        check_parts(compose_jobs("train", words, multirun=False, folder=None)[0])
    assert "\n" not in str(caught.value)


def test_an_embedding_of_factors_needs_some() -> None:
    with pytest.raises(RequestError, match="reads factors of source tokens, but there are none"):
        check_parts(compose_jobs("train", ["data=reverse", "embedding=factored"], multirun=False, folder=None)[0])
