"""Ids of tokens that carry factors: rows of a word's id and its factors' ids, where there are any, else plain ids."""

from collections.abc import Iterable, Sequence
from typing import Any

from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import EOS


def words_of(ids: Iterable[Any]) -> list[int]:
    """Gives the words' ids of plain ids or of rows."""
    return [id_ if isinstance(id_, int) else id_[0] for id_ in ids]


def rows_of(words: Sequence[int], factors: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Gives rows (1 + factors) of words' ids and of their factors'."""
    return [(word, *own) for word, own in zip(words, factors, strict=True)]


def with_factors(tokenizer: Tokenizer, line: str, words: Sequence[int]) -> list[Any]:
    """Gives the ids of a line, eos at the end, with their factors where the tokenizer gives some.

    Args:
        tokenizer: gave the tokens of these words.
        line: of text.
        words: ids of its tokens.
    """
    if not tokenizer.num_factors:
        return [*words, EOS]
    return [*rows_of(words, tokenizer.factors_many([line])[0]), (EOS,) * (1 + tokenizer.num_factors)]
