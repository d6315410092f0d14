"""Laws of tokens with factors."""

import string
from pathlib import Path

import pytest

from s2s_lab.data.tokenizers.bpe import BPETokenizer
from s2s_lab.data.tokenizers.factored import FORMS, MARK, FactoredTokenizer, form_of
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.vocabulary import NUM_SPECIALS, UNK
from s2s_lab.faults import RequestError

PLAIN = ["the old dogs bark", "a dog barks", "dogs bark"]
MARKED = [f"the{MARK}DT old{MARK}JJ dogs{MARK}NN bark{MARK}VB", f"a{MARK}DT dog{MARK}NN barks{MARK}VB", f"dogs{MARK}NN"]


def trained(lines: list[str], **options: object) -> FactoredTokenizer:
    made = FactoredTokenizer(**{"tokenizer": BPETokenizer(vocabulary_size=18), **options})  # type: ignore[arg-type]
    made.train(lines)
    return made


def test_subwords_are_those_of_the_words_alone_and_repeat_their_factors() -> None:
    marked, plain = trained(MARKED, written=1), BPETokenizer(vocabulary_size=18)
    plain.train([" ".join(word.split(MARK)[0] for word in line.split()) for line in MARKED])
    for line in MARKED:
        words = [word.split(MARK) for word in line.split()]
        expected = [(token, tag) for word, tag in words for token in plain.tokenize(word)]
        assert marked.tokenize(line) == [token for token, _ in expected]
        assert marked.tokenize(line) == plain.tokenize(" ".join(word for word, _ in words))
        (found,) = marked.factors_many([line])
        tags = sorted({"DT", "JJ", "NN", "VB"})
        assert found == [(NUM_SPECIALS + tags.index(tag),) for _, tag in expected]
    assert marked.factor_sizes() == (NUM_SPECIALS + 4,)
    assert marked.factors_many([f"dog{MARK}XX"])[0][0] == (UNK,)
    assert marked.detokenize(marked.tokenize(MARKED[0])) == PLAIN[0]


def test_a_token_says_where_in_its_word_it_stands() -> None:
    tokenizer = trained(PLAIN, position=True)
    names = sorted(("whole", "begin", "inside", "end"))
    for word in ("dogs", "bark", "xyzxyz", "a"):
        tokens, (found,) = tokenizer.tokenize(word), tokenizer.factors_many([word])
        expected = ["whole"] if len(tokens) == 1 else ["begin", *["inside"] * (len(tokens) - 2), "end"]
        assert [names[row[0] - NUM_SPECIALS] for row in found] == expected
    assert len(tokenizer.tokenize("xyzxyz")) > 2


@pytest.mark.parametrize(
    ("word", "case", "digits", "suffix"),
    [
        ("Dogs", "title", "none", "ogs"),
        ("dogs", "lower", "none", "ogs"),
        ("NATO", "upper", "none", "ato"),
        ("iPhone", "mixed", "none", "one"),
        ("I", "title", "none", "i"),
        ("1990", "none", "all", "990"),
        ("B2B", "upper", "some", "b2b"),
        (",", "none", "none", ","),
        ("Übung", "title", "none", "ung"),
    ],
)
def test_forms_are_read_off_the_word(word: str, case: str, digits: str, suffix: str) -> None:
    assert tuple(form_of(word, form) for form in FORMS) == (case, digits, suffix)


def test_forms_see_the_word_before_it_is_made_lower_case() -> None:
    tokenizer = trained(
        ["Dogs bark", "dogs"], tokenizer=BPETokenizer(vocabulary_size=30, lowercase=True), derived=["case"]
    )
    upper, lower = (tokenizer.factors_many([word])[0] for word in ("Dogs", "dogs"))
    assert tokenizer.tokenize("Dogs") == tokenizer.tokenize("dogs") and upper != lower


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"a{MARK}DT dog", "'dog' has 0 factors, expected 1"),
        (f"a{MARK}DT{MARK}x", "has 2 factors, expected 1"),
        (f"a{MARK}", "has 1 factors, expected 1, each behind '.' and not empty"),
        (f"{MARK}DT", "has 1 factors, expected 1"),
    ],
)
def test_a_token_without_its_factors_is_named(line: str, fault: str) -> None:
    tokenizer = trained(MARKED, written=1)
    with pytest.raises(RequestError, match=fault):
        tokenizer.tokenize(line)
    assert tokenizer.fault(line) is not None and tokenizer.fault(MARKED[0]) is None


def test_saved_and_loaded_it_gives_the_same_factors(tmp_path: Path) -> None:
    options = {"written": 1, "derived": ["suffix"], "position": True}
    made = trained(MARKED, **options)
    made.save(tmp_path, "source")
    loaded = FactoredTokenizer(tokenizer=BPETokenizer(vocabulary_size=18), **options)  # type: ignore[arg-type]
    loaded.load(tmp_path, "source")
    assert loaded.factor_sizes() == made.factor_sizes() and loaded.factors_many(MARKED) == made.factors_many(MARKED)
    for state in ({"factors": [["a"]], "tokenizer": {}}, {"factors": [[1]] * 3, "tokenizer": {}}, {"factors": 3}):
        with pytest.raises(ValueError, match="factors"):
            loaded.restore(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "tokenizer.written is 0 without another factor"),
        ({"written": -1, "position": True}, "tokenizer.written is -1"),
        ({"derived": ["colour"]}, r"tokenizer.derived is \['colour'\], expected a list of case, digits, suffix"),
        ({"derived": "case"}, "expected a list of"),
        *(({"written": 1, "mark": mark}, "tokenizer.mark is") for mark in ("", " ", "a b")),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        FactoredTokenizer(tokenizer=WhitespaceTokenizer(), **options)


def test_without_written_factors_the_mark_is_a_character_like_others() -> None:
    tokenizer = trained([f"a{MARK}b", string.ascii_lowercase], tokenizer=WhitespaceTokenizer(), derived=["case"])
    assert tokenizer.tokenize(f"a{MARK}b c") == [f"a{MARK}b", "c"]
