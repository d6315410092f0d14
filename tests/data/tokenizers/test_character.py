"""Laws of the character tokenizer."""

from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_lab.data.tokenizers.character import CharacterTokenizer


@settings(database=None)
@given(st.text())
def test_every_character_is_a_token_and_any_line_comes_back(line: str) -> None:
    tokens = CharacterTokenizer().tokenize(line)
    assert all(len(token) == 1 for token in tokens)
    assert CharacterTokenizer().detokenize(tokens) == line
