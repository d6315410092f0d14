"""Tokens are single characters, spaces included."""

from collections.abc import Sequence

from s2s_lab.data.tokenizers.base import Tokenizer


class CharacterTokenizer(Tokenizer):
    """Every Unicode code point is a token; joining gives the line back exactly."""

    def tokenize(self, line: str) -> list[str]:
        """Code points of a line."""
        return list(line)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Tokens joined without anything between them."""
        return "".join(tokens)
