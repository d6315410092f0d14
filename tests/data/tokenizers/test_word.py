"""Laws of the word tokenizer."""

from pathlib import Path

import pytest

from s2s_lab.data.corpora.multi30k import Multi30kCorpus
from s2s_lab.data.tokenizers.word import WordTokenizer
from s2s_lab.faults import RequestError

SENTENCES = [
    ("en", "Two young, White males are outside near many bushes."),
    ("en", "A man's dog (a terrier) doesn't bark; it sleeps!"),
    ("en", 'He said "hello", then left.'),
    ("en", "It costs $3.50, or 5% more."),
    ("fr", "L'homme s'entraîne près de l'océan."),
    ("fr", "Aujourd'hui, qu'est-ce que c'est ?"),
    ("de", "Zwei Männer stehen am Herd, z. B. und bereiten Essen zu."),
    ("de", "Ein T-Shirt mit 1.000 Punkten (schön)"),
]


@pytest.mark.parametrize(("language", "line"), SENTENCES)
def test_ordinary_sentences_come_back_exactly(language: str, line: str) -> None:
    tokenizer = WordTokenizer().for_language(language)
    assert tokenizer.detokenize(tokenizer.tokenize(line)).replace(" ?", "?") == line.replace(" ?", "?")
    lowered = WordTokenizer(lowercase=True).for_language(language)
    assert lowered.detokenize(lowered.tokenize(line)).replace(" ?", "?") == line.lower().replace(" ?", "?")


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_nearly_all_captions_come_back_but_for_runs_of_spaces(data_root: Path, language: str) -> None:
    other = "de" if language != "de" else "en"
    corpus = Multi30kCorpus(root=str(data_root), source=language, target=other)
    tokenizer = WordTokenizer().for_language(language)
    lines = [" ".join(line.split()) for line, _ in corpus.pairs("validation")]
    exact = sum(tokenizer.detokenize(tokenizer.tokenize(line)) == line for line in lines)
    assert exact / len(lines) > 0.97


def test_nothing_is_escaped_and_punctuation_stands_alone() -> None:
    assert WordTokenizer().tokenize('A "big" dog & <cat>, yes.') == [
        "A", '"', "big", '"', "dog", "&", "<", "cat", ">", ",", "yes", ".",
    ]  # fmt: skip


def test_a_language_of_ones_own_wins_over_the_sides(tmp_path: Path) -> None:
    line = "l'homme d'ici"
    french = WordTokenizer(language="fr").for_language("en")
    assert french.tokenize(line) == ["l'", "homme", "d'", "ici"]
    assert WordTokenizer().for_language("en").tokenize(line) != french.tokenize(line)


def test_the_sides_language_is_saved(tmp_path: Path) -> None:
    WordTokenizer().for_language("fr").save(tmp_path, "target")
    loaded = WordTokenizer()
    loaded.load(tmp_path, "target")
    assert loaded.tokenize("l'homme") == ["l'", "homme"]


@pytest.mark.parametrize("label", ["source", "tgt", "out", "eng", "EN"])
def test_a_label_that_is_no_language_is_treated_as_english(label: str) -> None:
    line = "The dog's ball, isn't it?"
    tokenizer = WordTokenizer().for_language(label)
    assert tokenizer.tokenize(line) == WordTokenizer(language="en").tokenize(line)
    assert tokenizer.detokenize(tokenizer.tokenize(line)) == line


def test_a_language_without_rules_is_refused() -> None:
    with pytest.raises(RequestError, match="language=french: one of as, bn"):
        WordTokenizer(language="french")
