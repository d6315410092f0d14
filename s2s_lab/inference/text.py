"""Between lines of text and ids of one language side."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import EOS, Vocabulary


@dataclass(frozen=True)
class TextSide:
    """The tokenizer and the vocabulary of one side, source or target."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary

    def ids(self, line: str) -> list[int]:
        """Ids of a line of text, eos at the end."""
        return [*self.vocabulary.encode(self.tokenizer.tokenize(line)), EOS]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Tokens of ids, special tokens left out."""
        return self.vocabulary.decode(ids)

    def line(self, ids: Sequence[int]) -> str:
        """The line of text that ids stand for."""
        return self.tokenizer.detokenize(self.tokens(ids))
