"""Laws of the vocabulary."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_lab.data.vocabulary import BOS, EOS, NUM_SPECIALS, PAD, SPECIALS, UNK, Vocabulary
from s2s_lab.faults import RequestError

TOKENS = st.one_of(st.text(min_size=1, max_size=4), st.sampled_from(SPECIALS))


def test_the_special_ids_are_the_agreed_ones() -> None:
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert [Vocabulary(()).tokens[id_] for id_ in (PAD, UNK, BOS, EOS)] == ["<pad>", "<unk>", "<s>", "</s>"]


@settings(database=None)
@given(st.lists(TOKENS), st.integers(1, 3), st.one_of(st.none(), st.integers(1, 5)))
def test_tokens_are_the_frequent_ones_by_falling_count_then_alphabet(
    tokens: list[str], min_freq: int, max_size: int | None
) -> None:
    counts = Counter(tokens)
    vocabulary = Vocabulary.build(counts, min_freq=min_freq, max_size=max_size)
    ordinary = vocabulary.tokens[NUM_SPECIALS:]
    expected = sorted((t for t in counts if counts[t] >= min_freq and t not in SPECIALS), key=lambda t: (-counts[t], t))
    assert list(ordinary) == expected[:max_size]
    assert len(vocabulary) == NUM_SPECIALS + len(ordinary)


@settings(database=None)
@given(st.lists(TOKENS), st.lists(TOKENS))
def test_known_tokens_come_back_and_no_text_becomes_pad_bos_or_eos(known: list[str], line: list[str]) -> None:
    vocabulary = Vocabulary.build(Counter(known))
    ids = vocabulary.encode(line)
    assert not {PAD, BOS, EOS} & set(ids)
    known_tokens = set(known) - set(SPECIALS)
    assert vocabulary.decode(ids) == [token if token in known_tokens else "<unk>" for token in line]


def test_decoding_drops_pad_bos_and_eos_and_keeps_unknown() -> None:
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.decode([BOS, 4, UNK, 5, EOS, PAD, PAD]) == ["a", "<unk>", "b"]


@settings(database=None)
@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n"), min_size=1), unique=True))
def test_saving_and_loading_keeps_every_id(tmp_path_factory: pytest.TempPathFactory, tokens: list[str]) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / "v.txt"
    vocabulary = Vocabulary.build(Counter(tokens))
    vocabulary.save(path)
    assert Vocabulary.load(path).tokens == vocabulary.tokens
    assert path.read_bytes().count(b"\n") == len(vocabulary)


def test_a_token_with_a_line_feed_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line feed"):
        Vocabulary(["a\nb"]).save(tmp_path / "v.txt")


@pytest.mark.parametrize("content", [b"a\nb\n", b"", b"<pad>\n<unk>\n<s>\n\xff\n"])
def test_a_file_that_is_no_vocabulary_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"v\.txt: .*vocabulary"):
        Vocabulary.load(path)
    with pytest.raises(RequestError, match=r"none\.txt: no such file"):
        Vocabulary.load(tmp_path / "none.txt")
