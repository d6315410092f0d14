"""Tokens are subwords learned by byte-pair encoding; joining gives the line back exactly."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from s2s_lab.data.tokenizers.base import Tokenizer

# The library warns at every later fork (loader processes) unless this is decided.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SPACE = "\u2581"  # stands for a space, and begins every line
_ESCAPE = "\ue000"  # before a SPACE or an _ESCAPE that the text itself holds
_UNKNOWN = "<unk>"


class BPETokenizer(Tokenizer):
    """Byte-pair encoding, through the `tokenizers` library.

    Paper: Sennrich, Haddow and Birch 2016, arXiv 1508.07909. Deviation: a word carries its leading space (as in
    sentencepiece) in place of an end-of-word mark; letters, digits and marks never merge with other characters.

    Characters that training never saw become tokens of their own, so that tokens always give the line back.

    Args:
        vocabulary_size: subwords to learn at most, single characters included; all of these are learnt, however many.
        lowercase: makes lines lower-case first.
    """

    def __init__(self, *, vocabulary_size: int, lowercase: bool = False) -> None:
        self.vocabulary_size = vocabulary_size
        self.lowercase = lowercase
        self._engine = _untrained()

    def train(self, lines: Iterable[str]) -> None:
        """Learns the merges from the lines of the training split."""
        self._engine = _untrained()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary_size, min_frequency=2, special_tokens=[_UNKNOWN], show_progress=False
        )
        self._engine.train_from_iterator((self._marked(line) for line in lines if line), trainer)

    def tokenize(self, line: str) -> list[str]:
        """Subwords of a line."""
        return self.tokenize_many([line])[0]

    def tokenize_many(self, lines: Sequence[str]) -> list[list[str]]:
        """Subwords of several lines."""
        marked = [self._marked(line) if line else "" for line in lines]
        return [_pieces(text, found) for text, found in zip(marked, self._engine.encode_batch(marked), strict=True)]

    def detokenize(self, tokens: Sequence[str]) -> str:
        """The line that subwords stand for (lower-cased, if the tokenizer is)."""
        text = "".join(tokens).removeprefix(SPACE)
        return re.sub(f"{_ESCAPE}(.)|{SPACE}", lambda match: match[1] or " ", text, flags=re.DOTALL)

    def configuration(self) -> dict[str, Any]:
        """The options that decide the tokens."""
        return {"vocabulary_size": self.vocabulary_size, "lowercase": self.lowercase}

    def state(self) -> dict[str, Any]:
        """Vocabulary and merges, in the library's own form."""
        return {"engine": self._engine.to_str()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes on a `state()`.

        Raises:
            ValueError: if the engine is not what `train` makes: one that splits or replaces otherwise.
        """
        if not isinstance(state["engine"], str):
            raise ValueError("its engine is no text")
        engine = tokenizers.Tokenizer.from_str(state["engine"])
        found, expected = (json.loads(each.to_str()) for each in (engine, _untrained()))
        vocabulary, added = found["model"].pop("vocab"), found.pop("added_tokens")
        for part in (found["model"], expected["model"]):
            del part["merges"]
            part.pop("vocab", None)
        expected.pop("added_tokens")
        if found != expected:
            changed = next(key for key in {**found, **expected} if found.get(key) != expected.get(key))
            raise ValueError(f"its {changed} is not that of a trained {type(self).__name__}")
        if vocabulary.get(_UNKNOWN) != 0 or [item["content"] for item in added] != [_UNKNOWN]:
            raise ValueError(f"it has not {_UNKNOWN} as its first and only special token")
        self._engine = engine

    def _marked(self, line: str) -> str:
        text = line.lower() if self.lowercase else line
        if _ESCAPE in text or SPACE in text:
            text = re.sub(f"[{_ESCAPE}{SPACE}]", lambda match: _ESCAPE + match[0], text)
        return SPACE + text.replace(" ", SPACE)


def _untrained() -> tokenizers.Tokenizer:
    engine = tokenizers.Tokenizer(models.BPE(unk_token=_UNKNOWN))
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(SPACE, "merged_with_next"),
            pre_tokenizers.Split(tokenizers.Regex(rf"[^\p{{L}}\p{{M}}\p{{N}}{SPACE}]"), "isolated"),
        ]
    )
    return engine


def _pieces(text: str, encoding: tokenizers.Encoding) -> list[str]:
    """The tokens, each unknown one replaced by the characters it stands for."""
    tokens = encoding.tokens
    if _UNKNOWN not in tokens:
        return tokens
    return [
        text[slice(*span)] if token == _UNKNOWN else token for token, span in zip(tokens, encoding.offsets, strict=True)
    ]
