"""Laws of the white-space tokenizer."""

from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer


@settings(database=None)
@given(st.text())
def test_no_token_holds_white_space_and_lines_come_back_with_single_spaces(line: str) -> None:
    tokens = WhitespaceTokenizer().tokenize(line)
    assert not any(character.isspace() for token in tokens for character in token)
    assert WhitespaceTokenizer().detokenize(tokens) == " ".join(line.split())
