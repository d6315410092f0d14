"""Tokens of another tokenizer with factors beside them: written in the text, or read off the words' forms."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Self

from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import Vocabulary
from s2s_lab.faults import RequestError

Form = Literal["case", "digits", "suffix"]
FORMS = ("case", "digits", "suffix")
CASES = ("lower", "upper", "title", "mixed", "none")
DIGITS = ("all", "some", "none")
PLACES = ("whole", "begin", "inside", "end")
SUFFIX = 3  # characters
MARK = "\uffe8"  # as in OpenNMT's text files


class FactoredTokenizer(Tokenizer):
    """Divides lines into words at white space, words into tokens, and gives each token the factors of its word.

    Factors come in this order: those written behind the word (`dogs|dog|NNS`, the mark being U+FFE8), those of its
    form, the token's place in the word. Each has a vocabulary of its own, of what the training split holds; other
    values are unknown.

    Paper: Sennrich and Haddow 2016, arXiv 1606.02892, whose subword tags are `position`. Deviation: forms, which need
    no annotation.

    Args:
        tokenizer: makes tokens of each word alone.
        written: factors behind each word of the text.
        derived: factors of a word's form: "case", "digits" (all, some or none), "suffix" (its last three characters).
        position: whether the token's place in its word is a factor.
        mark: stands before each written factor.

    Raises:
        RequestError: there is no factor, a form is unknown, or the mark is empty or a blank.
    """

    def __init__(
        self,
        *,
        tokenizer: Tokenizer,
        written: int = 0,
        derived: Sequence[Form] = (),
        position: bool = False,
        mark: str = MARK,
    ) -> None:
        unknown = [form for form in derived if form not in FORMS]
        if unknown or isinstance(derived, str):
            raise RequestError(f"tokenizer.derived is {derived!r}, expected a list of {', '.join(FORMS)}")
        if not mark or mark.split() != [mark]:
            raise RequestError(f"tokenizer.mark is {mark!r}, expected characters that are no blanks")
        if written < 0 or not written + len(derived) + position:
            raise RequestError(f"tokenizer.written is {written} without another factor, expected at least 1")
        self.tokenizer, self.mark = tokenizer, mark
        self.written, self.derived, self.position = written, tuple(derived), position
        self._values: list[list[str]] = [[] for _ in range(self.num_factors)]
        self._vocabularies = self._made()

    @property
    def num_factors(self) -> int:
        """Factors beside each token."""
        return self.written + len(self.derived) + self.position

    def factor_sizes(self) -> tuple[int, ...]:
        """Ids of each factor, those of special tokens included."""
        return tuple(map(len, self._vocabularies))

    def for_language(self, language: str) -> Self:
        """An independent copy for one side."""
        own = super().for_language(language)
        own.tokenizer = self.tokenizer.for_language(language)
        return own

    def train(self, lines: Iterable[str]) -> None:
        """Learns the factors' values, and trains the tokenizer within on the words alone."""
        seen: list[set[str]] = [set() for _ in range(self.num_factors)]
        texts = self._texts(lines, seen)
        if self.tokenizer.trainable:
            self.tokenizer.train(texts)
        for _ in texts:
            pass
        if self.position:
            seen[-1] |= set(PLACES)
        self._values = [sorted(values) for values in seen]
        self._vocabularies = self._made()

    def _texts(self, lines: Iterable[str], seen: list[set[str]]) -> Iterator[str]:
        for line in lines:
            words = [self._apart(text) for text in line.split()]
            for _, factors in words:
                for values, value in zip(seen, factors, strict=False):
                    values.add(value)
            yield " ".join(word for word, _ in words)

    def tokenize(self, line: str) -> list[str]:
        """Tokens of a line, without their factors."""
        return self.tokenize_many([line])[0]

    def tokenize_many(self, lines: Sequence[str]) -> list[list[str]]:
        """Tokens of several lines, without their factors."""
        return [[token for token, _ in found] for found in self._analysed(lines)]

    def factors_many(self, lines: Sequence[str]) -> list[list[tuple[int, ...]]]:
        """Ids of the factors of each token of several lines."""
        return [self._ids([factors for _, factors in found]) for found in self._analysed(lines)]

    def fault(self, line: str) -> str | None:
        """What is wrong with a line's factors, or None."""
        for text in line.split():
            count = text.count(self.mark)
            if self.written and (count != self.written or not all(text.split(self.mark))):
                return f"{text!r} has {count} factors, expected {self.written}, each behind {self.mark!r} and not empty"
        return None

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The line that tokens stand for, without factors."""
        return self.tokenizer.detokenize(tokens)

    def configuration(self) -> dict[str, Any]:
        """The options that decide the tokens and factors."""
        return {
            "factored": type(self.tokenizer).__name__,
            "written": self.written,
            "derived": list(self.derived),
            "position": self.position,
            "mark": self.mark,
            **self.tokenizer.configuration(),
        }

    def state(self) -> dict[str, Any]:
        """The factors' values, and what the tokenizer within has learnt."""
        return {"factors": [list(values) for values in self._values], "tokenizer": self.tokenizer.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes on a `state()`.

        Raises:
            ValueError: if its factors are not as many lists of texts.
        """
        values = state["factors"]
        whole = isinstance(values, list) and all(isinstance(of, list) for of in values)
        if not whole or not all(isinstance(value, str) for of in values for value in of):
            raise ValueError("its factors are no lists of texts")
        if len(values) != self.num_factors:
            raise ValueError(f"it has {len(values)} factors, expected {self.num_factors}")
        self.tokenizer.restore(state["tokenizer"])
        self._values = values
        self._vocabularies = self._made()

    def _made(self) -> tuple[Vocabulary, ...]:
        return tuple(Vocabulary(values) for values in self._values)

    def _apart(self, text: str) -> tuple[str, tuple[str, ...]]:
        """A word, and its factors but for the position."""
        word, *written = text.split(self.mark) if self.written else [text]
        if self.written and (fault := self.fault(text)):
            raise RequestError(fault)
        return word, (*written, *(form_of(word, form) for form in self.derived))

    def _analysed(self, lines: Sequence[str]) -> list[list[tuple[str, tuple[str, ...]]]]:
        """Of each line its tokens, each with the values of its factors."""
        words = [[self._apart(text) for text in line.split()] for line in lines]
        divided = iter(self.tokenizer.tokenize_many([word for of_line in words for word, _ in of_line]))
        return [
            [pair for _, factors in of_line for pair in self._with_places(next(divided), factors)] for of_line in words
        ]

    def _with_places(self, tokens: Sequence[str], factors: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        last = len(tokens) - 1
        for place, token in enumerate(tokens):
            name = PLACES[0] if not last else PLACES[1 if place == 0 else 3 if place == last else 2]
            yield token, (*factors, name) if self.position else factors

    def _ids(self, factors: Sequence[tuple[str, ...]]) -> list[tuple[int, ...]]:
        streams = zip(*factors, strict=True)
        encoded = [of.encode(stream) for of, stream in zip(self._vocabularies, streams, strict=False)]
        return list(zip(*encoded, strict=True))


def form_of(word: str, form: str) -> str:
    """The value of one of FORMS for a word."""
    if form == "suffix":
        return word.lower()[-SUFFIX:]
    if form == "digits":
        count = sum(map(str.isdigit, word))
        return DIGITS[0] if count == len(word) else DIGITS[1] if count else DIGITS[2]
    if not any(letter.lower() != letter.upper() for letter in word):
        return CASES[4]
    if word == word.lower():
        return CASES[0]
    if word == word.upper() and len(word) > 1:
        return CASES[1]
    return CASES[2] if word[1:] == word[1:].lower() else CASES[3]
