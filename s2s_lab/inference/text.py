"""Between lines of text and ids of one language side."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from s2s_lab.data.factors import with_factors, words_of
from s2s_lab.data.several import join_sources, split_sources
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import EOS, SPECIALS, Vocabulary


@dataclass(frozen=True)
class TextSide:
    """The tokenizer and the vocabulary of one side, source or target.

    A line may hold several sources, separated by tabs; their ids lie one source after the other, each ending with eos.
    Where tokens carry factors, an id is a row: the word's id and its factors' ids.

    Attributes:
        tokenizer: trained.
        vocabulary: of its tokens.
        num_sources: that a line holds.
    """

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    num_sources: int = field(default=1, kw_only=True)

    def ids(self, line: str) -> list[Any]:
        """Ids of a line of text, eos at the end.

        Raises:
            RequestError: the line holds another number of sources, or a token has other factors than it should.
        """
        found: list[Any] = []
        for source in split_sources(line, self.num_sources):
            words = self.token_ids(self.tokenizer.tokenize(source))
            found += with_factors(self.tokenizer, source, words)
        return found

    def token_ids(self, tokens: Sequence[str]) -> list[int]:
        """Ids of tokens, without eos."""
        return self.vocabulary.encode(tokens)

    def forget(self) -> None:
        """Lets go of what is kept of lines read before; ids of theirs are not to be used any more."""

    def written(self, line: str, longest: int | None = None) -> list[str]:
        """Tokens of a line as written, one for each id but the last; an empty text for the end of a source.

        Args:
            line: of text.
            longest: tokens of each source that are kept; None for all.
        """
        tokens: list[str] = []
        for place, source in enumerate(split_sources(line, self.num_sources)):
            tokens += [*([""] if place else []), *self.tokenizer.tokenize(source)[:longest]]
        return tokens

    def tokens(self, ids: Sequence[Any]) -> list[str]:
        """Tokens of ids, special tokens left out."""
        return self.vocabulary.decode(words_of(ids))

    def labels(self, ids: Sequence[Any]) -> list[str]:
        """What each of a source's ids stands for, eos at the end: tokens and ends, without factors."""
        return [token for source in parts(ids) for token in (*self.tokens(source), SPECIALS[EOS])]

    def line(self, ids: Sequence[Any]) -> str:
        """The line of text that ids stand for, without factors."""
        if self.num_sources == 1:
            return self.tokenizer.detokenize(self.tokens(ids))
        return join_sources([self.tokenizer.detokenize(self.tokens(source)) for source in parts(ids)])


def parts(ids: Sequence[Any]) -> list[list[Any]]:
    """The ids of each source, without eos, of ids that end with it."""
    found: list[list[Any]] = [[]]
    for id_, word in zip(ids, words_of(ids), strict=True):
        if word == EOS:
            found.append([])
        else:
            found[-1].append(id_)
    return found[:-1]


def cut(ids: Sequence[Any], longest: int) -> list[Any]:
    """Ids, eos at the end, of which each source keeps `longest` at most before its end."""
    return [id_ for source in parts(ids) for id_ in (*source[:longest], ids[-1])]
