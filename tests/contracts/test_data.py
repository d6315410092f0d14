"""Laws of every corpus and every tokenizer of conf/, and of both together."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from s2s_lab.data.corpora.base import Corpus, Pair
from s2s_lab.data.prepare import VocabularySettings, prepare
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import EOS, PAD, UNK
from s2s_lab.faults import RequestError

REPOSITORY = Path(__file__).resolve().parents[2]
CONF = REPOSITORY / "conf"
CORPORA = sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
TOKENIZERS = sorted(path.stem for path in (CONF / "tokenizer").glob("*.yaml"))
SOURCES = ["Ein kleiner Hund läuft.", "zwei Männer, drei Hunde", "A man's hat", "walk around left twice", "a b c d"]
STEMS = {"multi30k": ("train", "val", "test_2016_flickr"), "tanaka_ja_en": ("train", "dev", "test")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """paths.data: the real folder, or one with small files in the same places."""
    real = Path(os.environ.get("S2S_LAB_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if all((real / folder).is_dir() for folder in (*STEMS, "g2p")):
        return real
    made = tmp_path_factory.mktemp("data")
    for folder, stems in STEMS.items():
        (made / folder).mkdir()
        for place, stem in enumerate(stems):
            for language in ("en", "de", "fr", "ja"):
                lines = [f"{language} {place} {line}\n" for line in SOURCES * 20]
                (made / folder / f"{stem}.{language}").write_text("".join(lines), encoding="utf-8")
    (made / "g2p").mkdir()
    entries = [f"{'abcdefghij'[number // 10]}{'abcdefghij'[number % 10]} AH{number % 3} B\n" for number in range(100)]
    (made / "g2p" / "cmudict.dict").write_text("".join(entries), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def own_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Files for the corpora that ask for the user's own."""
    folder = tmp_path_factory.mktemp("own")
    nodes = {}
    for place, split in enumerate(("train", "validation", "test")):
        path = folder / f"{split}.tsv"
        path.write_text("".join(f"{line}\t{line[::-1]} {place}\n" for line in SOURCES * 20), encoding="utf-8")
        text = folder / f"{split}.txt"
        text.write_text("".join(f"{line} {place}\n" for line in SOURCES * 20), encoding="utf-8")
        nodes[split] = {"tsv": str(path), "text": str(text)}
    return nodes


def section(option: str, root: Path, own_files: dict[str, dict[str, str]]) -> dict[str, Any]:
    """The `data` section of an option, resolved."""
    settings = OmegaConf.load(CONF / "data" / f"{option}.yaml")
    settings = OmegaConf.merge({"data": settings.data}, {"paths": {"data": str(root)}})
    settings = OmegaConf.merge(
        settings,
        {
            "data": {
                split: {key: value for key, value in node.items() if key in settings.data[split]}
                for split, node in own_files.items()
                if split in settings.data
            }
        },
    )
    resolved = OmegaConf.to_container(settings, resolve=True)
    assert isinstance(resolved, dict)
    return resolved["data"]


def default_tokenizer(option: str) -> str:
    defaults = OmegaConf.load(CONF / "data" / f"{option}.yaml").defaults
    return next(entry["/tokenizer"] for entry in defaults if "/tokenizer" in entry)


def build_tokenizer(option: str, **changes: object) -> Tokenizer:
    node = {**OmegaConf.to_container(OmegaConf.load(CONF / "tokenizer" / f"{option}.yaml")), **changes}  # type: ignore[dict-item]
    return instantiate(node)


def lowered(tokenizer: Tokenizer, line: str) -> str:
    return line.lower() if tokenizer.configuration().get("lowercase") else line


class FirstPairs(Corpus):
    """The first pairs of each split of another corpus."""

    def __init__(self, whole: Corpus, count: int) -> None:
        self.whole, self.count = whole, count
        self.name, self.citation, self.licence = whole.name, whole.citation, whole.licence
        self.source, self.target, self.monolingual = whole.source, whole.target, whole.monolingual

    def splits(self) -> tuple[str, ...]:
        return self.whole.splits()

    def stream(self, split: str) -> Iterator[Pair]:
        return (pair for pair, _ in zip(self.whole.stream(split), range(self.count), strict=False))

    def fingerprint(self) -> dict[str, str]:
        return {**self.whole.fingerprint(), "count": str(self.count)}


@pytest.fixture(scope="module", params=CORPORA)
def option(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def corpus(option: str, root: Path, own_files: dict[str, dict[str, str]]) -> Corpus:
    return instantiate(section(option, root, own_files)["corpus"], _convert_="all")


def test_a_corpus_has_train_validation_and_a_test_set_also_called_test(corpus: Corpus) -> None:
    assert corpus.splits()[:2] == ("train", "validation")
    assert corpus.canonical("test") == corpus.splits()[2]
    with pytest.raises(RequestError, match=r"split=nonsense: .* expected train, validation"):
        corpus.pairs("nonsense")


def test_a_corpus_says_where_it_comes_from_and_what_its_sides_are(corpus: Corpus, option: str) -> None:
    assert corpus.name == option
    assert corpus.citation and corpus.licence and corpus.source and corpus.target
    assert corpus.source != corpus.target


def test_pairs_can_be_read_again_and_again_at_once(corpus: Corpus) -> None:
    for split in corpus.splits():
        pairs = corpus.pairs(split)
        first = list(pairs)
        assert first
        assert all(one == other for one, other in zip(pairs, pairs, strict=True))
        assert list(pairs) == first


def test_the_first_accepted_reference_is_the_pairs_own_target(corpus: Corpus) -> None:
    for split in corpus.splits()[1:]:
        assert [accepted[0] for accepted in corpus.references(split)] == [target for _, target in corpus.pairs(split)]


def test_a_fingerprint_is_made_of_sha256_and_stays(
    corpus: Corpus, option: str, root: Path, own_files: dict[str, dict[str, str]]
) -> None:
    again = instantiate(section(option, root, own_files)["corpus"], _convert_="all")
    assert again.fingerprint() == corpus.fingerprint()
    assert all(len(value) == 64 and int(value, 16) >= 0 for value in corpus.fingerprint().values())


def test_an_option_names_its_sides_as_its_corpus_does_and_sets_the_common_keys(
    corpus: Corpus, option: str, root: Path, own_files: dict[str, dict[str, str]]
) -> None:
    data = section(option, root, own_files)
    assert (data["name"], data["source"], data["target"]) == (corpus.name, corpus.source, corpus.target)
    assert set(data["vocabulary"]) == {"min_freq", "max_size", "shared"}
    assert set(data["batch"]) == {"max_sentences", "max_tokens"}
    assert {"max_source_length", "max_target_length", "num_workers", "corpus"} <= set(data)


def test_an_option_names_its_tokenizer_and_metrics_plainly(option: str) -> None:
    groups = {key for entry in OmegaConf.load(CONF / "data" / f"{option}.yaml").defaults for key in entry}
    assert groups - {"override /tokenizer@source_tokenizer"} == {"/tokenizer", "/metrics"}
    assert default_tokenizer(option) in TOKENIZERS
    assert (CONF / "data" / f"{option}.yaml").read_text(encoding="utf-8").startswith("# @package _global_\n# ")


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("tokenizer_option", TOKENIZERS)
def test_every_tokenizer_serves_every_corpus_and_lines_come_back_from_their_ids(
    corpus: Corpus, tokenizer_option: str, shared: bool, tmp_path: Path
) -> None:
    small = FirstPairs(corpus, 150)
    tokenizer = build_tokenizer(tokenizer_option)
    data = prepare(
        corpus=small, source_tokenizer=tokenizer, target_tokenizer=tokenizer,
        vocabulary=VocabularySettings(shared=shared), max_source_length=None, max_target_length=None, cache=tmp_path,
    )  # fmt: skip
    kept = [pair for pair in small.pairs("train") if pair[1] and (pair[0] or small.monolingual)]
    train = data.splits["train"]
    assert len(train) == len(kept)
    for index, (source, target) in enumerate(kept):
        for line, ids, side, words in (
            (source, train.source(index), data.source_tokenizer, data.source_vocabulary),
            (target, train.target(index), data.target_tokenizer, data.target_vocabulary),
        ):
            assert (ids[-1] == EOS).all() and not np.isin(ids, (PAD, UNK)).any()
            of_words = ids if ids.ndim == 1 else ids[:, 0]
            assert words.decode(of_words.tolist()) == side.tokenize(line)
    assert data.source_vocabulary.tokens == data.target_vocabulary.tokens or not shared
    assert len(data.splits["test"]) == min(150, sum(1 for _ in corpus.pairs("test")))


@pytest.mark.parametrize("tokenizer_option", TOKENIZERS)
class TestTokenizer:
    """Laws of one tokenizer."""

    def trained(self, option: str) -> Tokenizer:
        tokenizer = build_tokenizer(option).for_language("de")
        tokenizer.train(SOURCES * 3)
        return tokenizer

    def test_plain_sentences_come_back(self, tokenizer_option: str) -> None:
        tokenizer = self.trained(tokenizer_option)
        for line in [*SOURCES[:2], "ungesehene Wörter, auch hier."]:
            assert tokenizer.detokenize(tokenizer.tokenize(line)) == lowered(tokenizer, line)

    def test_many_lines_are_tokenized_like_each_of_them(self, tokenizer_option: str) -> None:
        tokenizer = self.trained(tokenizer_option)
        lines = [*SOURCES, "", "neu ☃"]
        assert tokenizer.tokenize_many(lines) == [tokenizer.tokenize(line) for line in lines]

    def test_an_empty_line_has_no_tokens_and_no_tokens_are_an_empty_line(self, tokenizer_option: str) -> None:
        tokenizer = self.trained(tokenizer_option)
        assert tokenizer.tokenize("") == []
        assert tokenizer.detokenize([]) == ""

    def test_saved_and_loaded_it_does_the_same(self, tokenizer_option: str, tmp_path: Path) -> None:
        tokenizer = self.trained(tokenizer_option)
        tokenizer.save(tmp_path, "target")
        loaded = build_tokenizer(tokenizer_option)
        loaded.load(tmp_path, "target")
        for line in [*SOURCES, "l'homme d'ici"]:
            tokens = tokenizer.tokenize(line)
            assert loaded.tokenize(line) == tokens
            assert loaded.detokenize(tokens) == tokenizer.detokenize(tokens)
        assert [path.suffix for path in tmp_path.iterdir()] == [".json"]

    def test_the_copy_for_a_language_is_independent(self, tokenizer_option: str) -> None:
        tokenizer = build_tokenizer(tokenizer_option)
        before = tokenizer.state()
        tokenizer.for_language("fr").train(SOURCES)
        assert tokenizer.state() == before

    def test_a_file_of_another_tokenizer_is_refused(self, tokenizer_option: str, tmp_path: Path) -> None:
        self.trained(tokenizer_option).save(tmp_path, "source")
        other = next(option for option in TOKENIZERS if option != tokenizer_option)
        with pytest.raises(RequestError, match=r"source\.tokenizer\.json: saved by"):
            build_tokenizer(other).load(tmp_path, "source")
