"""A damaged or foreign model folder loads with the same weights or is refused in one line; lines in are lines out."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.assemble.command import one_line
from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.inference import MODEL_KEYS, load_model
from s2s_lab.assemble.network import build_network
from s2s_lab.assemble.translation import translate_lines
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.tokenizers.bpe import BPETokenizer
from s2s_lab.data.tokenizers.character import CharacterTokenizer
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.tokenizers.word import WordTokenizer
from s2s_lab.data.vocabulary import Vocabulary
from s2s_lab.faults import RequestError
from s2s_lab.inference.folder import SUMS
from s2s_lab.inference.frozen import FrozenModel, save_model
from s2s_lab.inference.text import TextSide
from tests.fuzz.conftest import budget
from tests.fuzz.strategies import altered, damaged

CPU = torch.device("cpu")
LINES = ["the cat sat, on the mat.", "a cat & a dog", "\u2581 odd \ue000 marks", "ein Haus!", "the the the"]
TOKENIZERS: dict[str, Tokenizer] = {
    "whitespace": WhitespaceTokenizer(),
    "character": CharacterTokenizer(),
    "word": WordTokenizer(),
    "bpe": BPETokenizer(vocabulary_size=60),
}
TOKENIZERS["bpe"].train(LINES)
TRIED: Counter[str] = Counter()


def saved(folder: Path, tokenizer: str = "bpe") -> Path:
    """A tiny model with random weights."""
    words = ["model=gru_attention", "encoder.hidden_size=4", "decoder.hidden_size=4", "embedding.embedding_size=4",
             f"tokenizer={tokenizer}", "data=reverse"]  # fmt: skip
    words += ["tokenizer.vocabulary_size=60"] if tokenizer == "bpe" else []
    words += ["tokenizer.lowercase=false"] if tokenizer in ("bpe", "word") else []
    settings = plain(compose_jobs("train", words, multirun=False, folder=None)[0])
    side = TOKENIZERS[tokenizer]
    vocabulary = Vocabulary(sorted({token for line in LINES for token in side.tokenize(line)}))
    text = TextSide(side, vocabulary)
    torch.manual_seed(1)
    network = build_network(settings, source_size=len(vocabulary), target_size=len(vocabulary), shared=False)
    configuration = {key: settings[key] for key in MODEL_KEYS}
    save_model(FrozenModel(network.eval(), text, text, configuration, shared=False), folder)
    return folder


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / request.param, request.param)


@pytest.fixture(scope="module", autouse=True)
def _told() -> Any:
    yield
    print(f"\ntried: {dict(TRIED)}")


def loads_or_refuses(folder: Path) -> FrozenModel | None:
    """The loaded model, or None where it was refused properly."""
    try:
        loaded = load_model(folder, device=CPU)
    except RequestError as error:
        assert 0 < len(one_line(error)) < 4000
        TRIED["refused"] += 1
        return None
    TRIED["loaded"] += 1
    return loaded


FILES = ["config.yaml", "model.safetensors", "source.tokenizer.json", "target.vocabulary.txt", SUMS]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = saved(tmp_path_factory.mktemp("model") / "bpe")
    assert load_model(folder, device=CPU)
    return folder


@budget(60)
@given(data=st.data())
def test_a_damaged_folder_is_noticed(
    original: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """With SHA256SUMS every change of a file that it names is noticed."""
    folder = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(original, folder)
    name = data.draw(st.sampled_from(FILES))
    whole = (folder / name).read_bytes()
    part = data.draw(damaged(whole))
    (folder / name).write_bytes(part)
    loaded = loads_or_refuses(folder)
    assert loaded is None or part == whole or name == SUMS
    if name != SUMS:
        (folder / SUMS).unlink()
        loads_or_refuses(folder)  # an older folder has none: a flipped weight is then a legal weight
    shutil.rmtree(folder)


@budget(60)
@given(data=st.data())
def test_a_foreign_configuration_is_built_or_refused(
    original: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("foreign") / "model"
    shutil.copytree(original, folder)
    (folder / SUMS).unlink()
    settings = data.draw(altered(yaml.safe_load((folder / "config.yaml").read_text())))
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), errors="surrogatepass")
    loads_or_refuses(folder)
    shutil.rmtree(folder)


def test_files_in_each_others_place_are_refused(original: Path, tmp_path: Path) -> None:
    for first in FILES[:4]:
        for second in FILES[:4]:
            if first == second:
                continue
            folder = tmp_path / f"{first}-{second}"
            shutil.copytree(original, folder)
            (folder / SUMS).unlink()
            shutil.copy(original / second, folder / first)
            assert loads_or_refuses(folder) is None


SETTINGS = {"accelerator": "cpu", "num_threads": 1, "matmul_precision": "highest", "precision": "float32",
            "nbest": 1, "batch_sentences": 2, "attention_file": None, "shortlist": False,
            "max_source_length": 1000}  # fmt: skip
GREEDY = {"_target_": "s2s_lab.decoding.greedy.GreedySearch", "max_length": 6}


@budget(15)
@given(
    lines=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=30), max_size=5)
)
def test_every_line_has_one_line(model: Path, lines: list[str]) -> None:
    TRIED["lines"] += len(lines)
    found = list(translate_lines(lines, {**SETTINGS, "run": str(model), "decoding": GREEDY}))
    assert len(found) == len(lines)
    assert all(len(texts) == 1 and "\n" not in texts[0] for texts, _ in found)
