"""What every tokenizer does: lines to tokens and back, trained on the training split, kept in a file."""

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from s2s_lab.faults import RequestError


class Tokenizer(ABC):
    """Splits lines into tokens and joins tokens into lines."""

    @abstractmethod
    def tokenize(self, line: str) -> list[str]:
        """Tokens of a line; none for an empty line."""

    @abstractmethod
    def detokenize(self, tokens: Sequence[str]) -> str:
        """The line of text that tokens stand for."""

    @property
    def num_factors(self) -> int:
        """Factors that it gives beside each token."""
        return 0

    def factor_sizes(self) -> tuple[int, ...]:
        """Ids of each factor, those of special tokens included."""
        return ()

    def factors_many(self, lines: Sequence[str]) -> list[list[tuple[int, ...]]]:
        """Ids of the factors of each token of several lines."""
        return [[()] * len(tokens) for tokens in self.tokenize_many(lines)]

    def fault(self, line: str) -> str | None:
        """Why a line cannot be tokenized, or None."""
        return None

    @property
    def trainable(self) -> bool:
        """Whether `train` does anything."""
        return type(self).train is not Tokenizer.train

    def train(self, lines: Iterable[str]) -> None:
        """Learns from the lines of the training split; most tokenizers need nothing."""
        return

    def tokenize_many(self, lines: Sequence[str]) -> list[list[str]]:
        """Tokens of several lines; equal to `tokenize` of each."""
        return [self.tokenize(line) for line in lines]

    def for_language(self, language: str) -> Self:
        """An independent copy for one side; those that know languages take it on unless they have one."""
        return copy.deepcopy(self)

    def configuration(self) -> dict[str, Any]:
        """The options that decide the tokens, as plain values."""
        return {}

    def state(self) -> dict[str, Any]:
        """What training or `for_language` added, as plain values."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes on a `state()`."""
        return

    def save(self, folder: Path, name: str) -> None:
        """Writes {name}.tokenizer.json into the folder."""
        content = {"tokenizer": type(self).__name__, "configuration": self.configuration(), "state": self.state()}
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        (folder / f"{name}.tokenizer.json").write_text(text, encoding="utf-8")

    def load(self, folder: Path, name: str) -> None:
        """Restores what `save` wrote.

        Raises:
            RequestError: if the file is missing, damaged, or of a tokenizer with other options.
        """
        path = folder / f"{name}.tokenizer.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = {"tokenizer": content["tokenizer"], "configuration": content["configuration"]}
            state = content["state"]
        except FileNotFoundError as error:
            raise RequestError(f"{path}: no such file; a tokenizer was expected") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RequestError(f"{path}: not a saved tokenizer ({error})") from error
        expected = {"tokenizer": type(self).__name__, "configuration": self.configuration()}
        if found != expected:
            raise RequestError(f"{path}: saved by {found}, but the configuration says {expected}")
        try:
            self.restore(state)
        except Exception as error:  # the tokenizers library raises bare Exception
            raise RequestError(f"{path}: not a saved tokenizer ({error})") from error
