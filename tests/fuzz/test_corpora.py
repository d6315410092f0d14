"""Any bytes as a parallel corpus are prepared, line by line, or refused in one line that names the file."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.assemble.command import one_line
from s2s_lab.data.corpora.parallel import ParallelCorpus
from s2s_lab.data.prepare import VocabularySettings, prepare
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.tokenizers.bpe import BPETokenizer
from s2s_lab.data.tokenizers.character import CharacterTokenizer
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.tokenizers.word import WordTokenizer
from s2s_lab.data.vocabulary import UNK
from s2s_lab.faults import RequestError
from s2s_lab.inference.text import TextSide
from tests.fuzz.conftest import budget
from tests.fuzz.strategies import damaged

TRIED: Counter[str] = Counter()
TOKENIZERS = st.sampled_from(
    [WhitespaceTokenizer, CharacterTokenizer, WordTokenizer, lambda: BPETokenizer(vocabulary_size=40)]
)
PIECES = st.sampled_from(
    [b"a", b"b c", b" ", b"\t", b"\r", b"\r\n", b"\xef\xbb\xbf", b"\x00", b"\xff", "\u2028".encode(), "\u0301".encode(),
     "\u2581\ue000".encode(), "\U0001f468\u200d\U0001f469".encode(), "\u202eabc".encode(), b"<unk>", b"</s>", b"<pad>",
     b"x" * 20000, "\ufeff".encode(), "\x85".encode(), b"&lt;", b"\x0c", b"\x1b[2J", b"\xc2"]
)  # fmt: skip
WORDS = PIECES | st.binary(max_size=6) | st.text(max_size=6).map(lambda text: text.encode("utf-8", "replace"))
LINES = st.lists(st.lists(WORDS, max_size=5).map(b"".join), max_size=6)
FILES = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    LINES,
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"\n", b""]),
)


@pytest.fixture(scope="module", autouse=True)
def _told() -> Any:
    yield
    print(f"\ntried: {dict(TRIED)}")


def corpus(folder: Path, **files: bytes) -> ParallelCorpus:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    train = {"source": str(folder / "train_source"), "target": str(folder / "train_target")}
    rest = {"source": str(folder / "rest_source"), "target": str(folder / "rest_target")}
    return ParallelCorpus(train=train, validation=rest)


def prepared_or_refused(folder: Path, data: ParallelCorpus, tokenizer: Tokenizer, shared: bool) -> None:
    try:
        prepared = prepare(
            corpus=data, source_tokenizer=tokenizer, target_tokenizer=tokenizer,
            vocabulary=VocabularySettings(shared=shared), max_source_length=50, max_target_length=50,
            cache=folder / "cache",
        )  # fmt: skip
        kept = sum(1 for pair in data.pairs("train")) - sum(prepared.filtered.values())
        assert len(prepared.splits["train"]) == kept
        validation = prepared.splits["validation"]
        lines = list(data.pairs("validation"))
        assert len(validation) == len(lines)
        side = TextSide(prepared.source_tokenizer, prepared.source_vocabulary)
        for index, (source, _) in enumerate(lines):
            ids = validation.source(index).tolist()
            assert ids == side.ids(source)
            if UNK not in ids and isinstance(tokenizer, CharacterTokenizer | BPETokenizer):
                assert side.line(ids) == source
    except RequestError as error:
        TRIED["refused"] += 1
        assert 0 < len(one_line(error)) < 4000
    else:
        TRIED["prepared"] += 1


@budget(60)
@given(
    train_source=FILES, train_target=FILES, rest_source=FILES, rest_target=FILES,
    make=TOKENIZERS, shared=st.booleans(), aligned=st.booleans(),
)  # fmt: skip
def test_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, make: Any, shared: bool, aligned: bool, **files: bytes
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    if aligned:  # so that much of it gets beyond the count of lines
        files |= {"train_target": files["train_source"], "rest_target": files["rest_source"]}
    prepared_or_refused(folder, corpus(folder, **files), make(), shared)


@budget(30)
@given(content=damaged(gzip.compress(b"a b\nc\n" * 50, mtime=0)))
def test_damaged_gzip_files(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("zipped")
    pairs = {}
    for name in ("train", "validation"):
        (folder / f"{name}.gz").write_bytes(content)
        pairs[name] = dict.fromkeys(("source", "target"), str(folder / f"{name}.gz"))
    prepared_or_refused(folder, ParallelCorpus(**pairs), WhitespaceTokenizer(), False)


@budget(30)
@given(data=st.data())
def test_a_damaged_cache_is_made_again(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever lies in the cache, the data are those of the corpus, or the fault is told in one line."""
    folder = tmp_path_factory.mktemp("cache")
    text = b"a b c\nb a\nc c a\n"
    pairs = corpus(folder, train_source=text, train_target=text, rest_source=text, rest_target=text)
    prepared_or_refused(folder, pairs, WhitespaceTokenizer(), False)
    files = sorted(path for path in (folder / "cache").rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(files))
    if path.suffix in (".ids", ".offsets"):  # of the same size: only a shorter or longer one is noticed
        path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, path.stat().st_size - 1))])
    else:
        path.write_bytes(data.draw(damaged(path.read_bytes())))
    try:
        prepare(
            corpus=pairs, source_tokenizer=WhitespaceTokenizer(), target_tokenizer=WhitespaceTokenizer(),
            vocabulary=VocabularySettings(), max_source_length=50, max_target_length=50, cache=folder / "cache",
        ).splits["validation"]  # fmt: skip
    except RequestError as error:
        TRIED["refused"] += 1
        assert 0 < len(one_line(error)) < 4000
