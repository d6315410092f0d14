"""Tokens of another tokenizer in reverse order, for models that write from right to left."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from s2s_lab.data.tokenizers.base import Tokenizer


class ReversedTokenizer(Tokenizer):
    """Gives the last token of a line first; joining restores the order.

    Args:
        tokenizer: makes the tokens.
    """

    def __init__(self, *, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @property
    def trainable(self) -> bool:
        """Whether the tokenizer within learns."""
        return self.tokenizer.trainable

    def train(self, lines: Iterable[str]) -> None:
        """Trains the tokenizer within, on the lines as they are."""
        self.tokenizer.train(lines)

    def for_language(self, language: str) -> Self:
        """An independent copy for one side."""
        own = super().for_language(language)
        own.tokenizer = self.tokenizer.for_language(language)
        return own

    def tokenize(self, line: str) -> list[str]:
        """Tokens of a line, the last one first."""
        return self.tokenizer.tokenize(line)[::-1]

    def tokenize_many(self, lines: Sequence[str]) -> list[list[str]]:
        """Tokens of several lines, the last ones first."""
        return [tokens[::-1] for tokens in self.tokenizer.tokenize_many(lines)]

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The line whose tokens, last one first, these are."""
        return self.tokenizer.detokenize(list(tokens)[::-1])

    def configuration(self) -> dict[str, Any]:
        """The options that decide the tokens."""
        return {"reversed": type(self.tokenizer).__name__, **self.tokenizer.configuration()}

    def state(self) -> dict[str, Any]:
        """What the tokenizer within has learnt."""
        return self.tokenizer.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Takes on a `state()`."""
        self.tokenizer.restore(state)
