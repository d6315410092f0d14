"""Tokens are words and punctuation marks, by the rules of Moses; joining gives ordinary text."""

import functools
import re
from collections.abc import Sequence
from typing import Any, Self, cast

from sacremoses import MosesDetokenizer, MosesTokenizer
from sacremoses.corpus import NonbreakingPrefixes

from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.faults import RequestError


class WordTokenizer(Tokenizer):
    """Moses tokenization and detokenization, through sacremoses; nothing is escaped.

    Exact for ordinary sentences; runs of spaces become one, and rare uses of quotation marks come back shifted.

    Args:
        lowercase: makes lines lower-case first.
        language: code such as en or de; None takes the side's own language, and the rules of English for a label
            that is none, such as `source`.

    Raises:
        RequestError: if there are no rules of that language.
    """

    def __init__(self, *, lowercase: bool = False, language: str | None = None) -> None:
        if language is not None and language not in _known_languages():
            known = ", ".join(sorted(_known_languages()))
            raise RequestError(f"tokenizer.language={language}: one of {known} is expected, or null")
        self.lowercase = lowercase
        self.language = language
        self._side_language = language or "en"

    def for_language(self, language: str) -> Self:
        """An independent copy with this language, unless `language` was given."""
        own = super().for_language(language)
        label = language.lower()
        own._side_language = self.language or (label if label in _known_languages() else "en")
        return own

    def tokenize(self, line: str) -> list[str]:
        """Words and punctuation marks of a line."""
        text = line.lower() if self.lowercase else line
        return cast(list[str], _moses(self._side_language)[0].tokenize(text, escape=False))

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Ordinary text: spaces where the language has them."""
        return _moses(self._side_language)[1].detokenize(list(tokens), unescape=False)

    def configuration(self) -> dict[str, Any]:
        """The options that decide the tokens."""
        return {"lowercase": self.lowercase, "language": self.language}

    def state(self) -> dict[str, Any]:
        """The language in use."""
        return {"language": self._side_language}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes on a `state()`.

        Raises:
            ValueError: if its language is none.
        """
        if not isinstance(state["language"], str) or not re.fullmatch(r"[\w-]{1,40}", state["language"]):
            raise ValueError(f"its language is {state['language']!r:.50}")
        self._side_language = state["language"]


@functools.cache
def _known_languages() -> frozenset[str]:
    """Codes of the languages that there are rules of."""
    return frozenset(NonbreakingPrefixes().available_langs.values())


@functools.cache
def _moses(language: str) -> tuple[MosesTokenizer, MosesDetokenizer]:
    """The rules of a language code; those of English for what is none."""
    language = language if len(language) <= 3 else "en"
    return MosesTokenizer(lang=language), MosesDetokenizer(lang=language)
