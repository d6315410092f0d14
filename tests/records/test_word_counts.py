"""Words are the same for every tokenizer."""

from s2s_lab.records.word_counts import count_words, words


def test_case_and_punctuation_do_not_hide_a_word() -> None:
    assert words("Ein Hund, ein HUND!") == ["ein", "hund", ",", "ein", "hund", "!"]


def test_inner_apostrophes_and_hyphens_stay() -> None:
    assert words("don't  well-known\t(l\u2019été)") == ["don't", "well-known", "(", "l\u2019été", ")"]


def test_no_character_but_white_space_is_lost() -> None:
    line = "a_b 3.5% 漢字 «x» … -- '"
    assert "".join(words(line)) == "".join(line.casefold().split())


def test_counts_add_over_lines() -> None:
    assert count_words(["A b", "", "a."]) == {"a": 2, "b": 1, ".": 1}
