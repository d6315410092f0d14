"""Source words that no vocabulary holds, between text and the ids beyond the vocabularies that stand for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from s2s_lab.data.factors import words_of
from s2s_lab.data.vocabulary import UNK
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.inference.text import TextSide


@dataclass(frozen=True)
class UnknownWords:
    """Numbers words in the order in which they are first met.

    Attributes:
        numbers: by word.
        words: by number.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def number(self, word: str) -> int:
        """The number of a word, a new one for a new word."""
        if word not in self.numbers:
            self.numbers[word] = len(self.words)
            self.words.append(word)
        return self.numbers[word]

    def clear(self) -> None:
        """Forgets all words."""
        self.numbers.clear()
        self.words.clear()


@dataclass(frozen=True)
class CopyingSource(TextSide):
    """A source side that gives each unknown word an id of its own: the vocabulary's size and the word's number."""

    unknown: UnknownWords

    def token_ids(self, tokens: Sequence[str]) -> list[int]:
        """Ids of tokens, without eos; see the class."""
        size = len(self.vocabulary)
        return [
            size + self.unknown.number(token) if id_ == UNK else id_
            for id_, token in zip(self.vocabulary.encode(tokens), tokens, strict=True)
        ]

    def forget(self) -> None:
        """Forgets the unknown words of the lines read before."""
        self.unknown.clear()

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Tokens of ids, special tokens left out; unknown words as they are."""
        return _tokens(self, ids, self.unknown)


@dataclass(frozen=True)
class CopiedTarget(TextSide):
    """A target side that reads ids beyond its vocabulary as the unknown words of the source."""

    unknown: UnknownWords

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Tokens of ids, special tokens left out; copied words as they are."""
        return _tokens(self, ids, self.unknown)


def _tokens(side: TextSide, ids: Sequence[int], unknown: UnknownWords) -> list[str]:
    size = len(side.vocabulary)
    found: list[str] = []
    for id_ in words_of(ids):
        found += [unknown.words[id_ - size]] if id_ >= size else side.vocabulary.decode([id_])
    return found


def copying_sides(source: TextSide, target: TextSide) -> tuple[TextSide, TextSide]:
    """The sides of a model that copies unknown words: they number these words together."""
    unknown = UnknownWords()
    return (
        CopyingSource(source.tokenizer, source.vocabulary, unknown, num_sources=source.num_sources),
        CopiedTarget(target.tokenizer, target.vocabulary, unknown),
    )


def copied_ids(prepared: Any, size: int) -> list[int]:
    """Give the id that each symbol of a batch stands for, whichever batch that is; arguments as of `numbered`."""
    numbers = prepared.words[0].tolist() if len(prepared.words) else []
    return [*range(size), *(size + number for number in numbers)]


def numbered(sentences: Sequence[Sequence[Hypothesis]], prepared: Any, size: int) -> list[list[Hypothesis]]:
    """Give hypotheses with the numbers of unknown words in place of these words' places in their batch.

    Args:
        sentences: n-best lists, in which the id `size` + j stands for the j-th unknown word of the batch.
        prepared: what the output prepared; its `words` (batch, unknown words of the batch) are their numbers, each row
            the same.
        size: of the target vocabulary.
    """
    numbers = prepared.words[0].tolist() if len(prepared.words) else []
    return [
        [
            replace(item, ids=tuple(id_ if id_ < size else size + numbers[id_ - size] for id_ in item.ids))
            for item in nbest
        ]
        for nbest in sentences
    ]
