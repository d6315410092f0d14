"""Tokens are what spaces divide: for text that is tokenized already."""

from collections.abc import Sequence

from s2s_lab.data.tokenizers.base import Tokenizer


class WhitespaceTokenizer(Tokenizer):
    """Splits at white space; joining gives single spaces."""

    def tokenize(self, line: str) -> list[str]:
        """Tokens of a line."""
        return line.split()

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Tokens joined by single spaces."""
        return " ".join(tokens)
