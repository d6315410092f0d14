"""A model of several sources from its files to its translations."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import evaluate_runs
from s2s_lab.assemble.inference import load_model
from s2s_lab.assemble.job import check_parts
from s2s_lab.assemble.translation import translate_lines
from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_json
from s2s_lab.records.run_folder import RunFolder
from tests.assemble.test_experiment import run

SIZES = {"train": 60, "validation": 8, "test": 10}


def lines(split: str) -> list[tuple[str, str, str]]:
    """Two sources and a target that takes a word of each in turn; the test has words that nobody has seen."""
    chance = random.Random(split)
    made = []
    for _ in range(SIZES[split]):
        one, two = ([chance.choice(letters) for _ in range(chance.randint(1, 4))] for letters in ("abcd", "wxyz"))
        if split == "test":
            two.append("unseen")
        made.append((" ".join(one), " ".join(two), " ".join(word for pair in zip(one, two) for word in pair)))  # noqa: B905
    return made


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The words of the command line that name the files of such pairs."""
    folder, words = tmp_path_factory.mktemp("corpus"), ["data=parallel", "tokenizer=whitespace"]
    for split in SIZES:
        for place, name in enumerate(("one", "two", "target")):
            text = "".join(f"{line[place]}\n" for line in lines(split))
            (folder / f"{split}.{name}").write_text(text, encoding="utf-8")
        words.append(f"data.{split}.source=[{folder / f'{split}.one'},{folder / f'{split}.two'}]")
        words.append(f"data.{split}.target={folder / f'{split}.target'}")
    return [*words, "data.vocabulary.min_freq=1"]


def settings(name: str, *words: str) -> dict[str, Any]:
    words = ("decoding=greedy", "decoding.max_length=9", "accelerator=cpu", "num_threads=1", *words)
    return plain(compose_jobs(name, list(words), multirun=False, folder=None)[0])


def translated(made: RunFolder, given: list[str], *words: str) -> list[str]:
    return [texts[0] for texts, _ in translate_lines(given, settings("translate", f"run={made.model}", *words))]


@pytest.mark.parametrize(
    "words",
    [
        ["model=gru_attention", "data.vocabulary.shared=true"],
        ["model=lstm_attention", "attention=hierarchical", "output=pointer_generator", "sources.share=true"],
    ],
    ids=["flat", "hierarchical"],
)
def test_from_files_to_translations(tmp_path: Path, corpus: list[str], words: list[str]) -> None:
    made = run(tmp_path, *corpus, "data.source=[one,two]", "sources=several", *words)
    assert RunFolder.open(made.path).read()["data"]["source"] == "one-two"
    assert read_json(made.path / "run.json")["data"]["filtered"] == {
        "empty": 0,
        "source_too_long": 0,
        "target_too_long": 0,
    }
    asked = settings("evaluate", f"runs=[{made.path}]", "attention_sentences=2", "replace_unknown=true")
    ((_, folder, facts),) = evaluate_runs(asked)
    assert facts["sentences"] == SIZES["test"]
    given = (folder / "sources.txt").read_text(encoding="utf-8").splitlines()
    assert given == [f"{one}\t{two}" for one, two, _ in lines("test")]
    outputs = (folder / "hypotheses.txt").read_text(encoding="utf-8").splitlines()
    assert "<unk>" not in " ".join(outputs)
    assert translated(made, given, "replace_unknown=true") == outputs
    assert [translated(made, [line], "replace_unknown=true")[0] for line in given] == outputs
    told = settings("translate", f"run={made.model}", f"attention_file={tmp_path / 'unused'}")
    (_, attention), *_ = translate_lines(["a b\tx", *given], told)
    shown = json.loads(str(attention))
    assert shown["source"] == ["a", "b", "</s>", "x", "</s>"]
    assert all(len(row) == 5 and abs(sum(row) - 1) < 0.01 for row in shown["weights"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> RunFolder:
    return run(tmp_path_factory.mktemp("runs"), *corpus, "sources=several", "model=gru_attention")


def test_a_line_with_another_number_of_sources_is_refused_and_named(trained: RunFolder) -> None:
    for line, found in (("a b", 1), ("a\tx\ty", 3)):
        with pytest.raises(RequestError, match=f"^line 2: {found} sources? separated by tabs, expected 2$"):
            translated(trained, ["a\tx", line])
    assert translated(trained, ["", "  ", "a\tx"])[:2] == ["", ""]


def test_each_source_is_cut_where_it_is_too_long(trained: RunFolder) -> None:
    told: list[tuple[str, int, str]] = []
    cut = settings("translate", f"run={trained.model}", "max_source_length=2")
    texts = [
        found[0] for found, _ in translate_lines(["a b c d\tx y", "a b\tx y"], cut, tell=lambda *it: told.append(it))
    ]
    assert texts[0] == texts[1]
    assert told == [("were too long", 1, "4 tokens, cut to max_source_length=2")]


def test_a_model_in_8_bit_integers_or_beside_another_reads_both_sources(trained: RunFolder) -> None:
    given = [f"{one}\t{two}" for one, two, _ in lines("test")]
    assert len(translated(trained, given, "precision=int8")) == len(given)
    alone, both = translated(trained, given), translated(trained, given, f"together=[{trained.model}]")
    assert alone == both
    shortlisted = settings("evaluate", f"runs=[{trained.path}]", "shortlist=true")
    ((_, _, facts),) = evaluate_runs(shortlisted)
    assert facts["sentences"] == len(given)
    assert translated(trained, given, f"rerank=[{{run: {trained.model}, kind: same, weight: 1.0}}]") == alone


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["wait_k=2"], "wait_k=2: .* reads several sources, expected a model of one"),
        (["rerank=[{run: RUN, kind: source_given_target, weight: 1.0}]"], "rerank: .* reads 2 sources for a target"),
    ],
)
def test_what_takes_one_source_for_granted_is_refused(trained: RunFolder, words: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        translated(trained, ["a\tx"], *(word.replace("RUN", str(trained.model)) for word in words))


def test_a_saved_model_says_how_many_sources_it_reads(trained: RunFolder, tmp_path: Path) -> None:
    model = load_model(trained.model, device=torch.device("cpu"))
    assert model.source.num_sources == model.network.encoder.num_sources == 2
    ids = model.source.ids("a b\tx")
    assert model.source.line(ids) == "a b\tx" and model.source.labels(ids) == ["a", "b", "</s>", "x", "</s>"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["CORPUS", "model=gru_attention"],
            "data=parallel has 2 sources for each target, but the encoder reads 1; .*sever",
        ),
        (
            ["data=reverse", "sources=several"],
            "data=reverse has 1 source for each target, but the encoder reads 2; .*=one",
        ),
        (["CORPUS", "sources=several", "sources.num_sources=3"], "has 2 sources .* reads 3; .*num_sources=2"),
        (["data=reverse", "sources=several", "sources.num_sources=1"], "num_sources is 1, expected at least 2"),
        (["data=reverse", "attention=hierarchical"], "attends to several sources, but there is 1; add sources=several"),
        (["CORPUS", "sources=several", "attention=monotonic"], "takes the memory for one source in its order"),
        (
            ["CORPUS", "sources=several", "attention=multi_head", "attention@attention.energy=location"],
            "MultiHeadAttention takes the memory for one source in its order",
        ),
        (
            ["CORPUS", "sources=several", "attention=hierarchical", "attention@attention.each=none"],
            r"attention\.each is NoAttention, expected an attention with weights",
        ),
        (["CORPUS", "sources=several", "encoder=pyramidal", "encoder.num_layers=2"], "needs a memory entry for each"),
        (["CORPUS", "sources=several", "sources.state=sum"], "sources.state is 'sum', expected one of projected, mean"),
    ],
)
def test_misfits_are_refused_before_anything_is_read(corpus: list[str], words: list[str], message: str) -> None:
    given = [word for each in words for word in (corpus if each == "CORPUS" else [each])]
    with pytest.raises(RequestError, match=message) as caught:
        check_parts(compose_jobs("train", given, multirun=False, folder=None)[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("each", ["local_p", "location_aware", "multi_head"])
def test_an_attention_within_the_hierarchical_one_is_chosen_by_its_place(corpus: list[str], each: str) -> None:
    words = ["sources=several", "attention=hierarchical", f"attention@attention.each={each}"]
    check_parts(compose_jobs("train", [*corpus, *words], multirun=False, folder=None)[0])
