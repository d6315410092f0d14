"""The tokens a model knows and their ids."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from s2s_lab.faults import RequestError

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
NUM_SPECIALS = len(SPECIALS)


class Vocabulary:
    """Tokens by id; the four special tokens come first.

    A token of the text that looks like a special one is unknown, so encoding never yields pad, bos or eos.

    Args:
        tokens: ordinary tokens in the order of their ids, from NUM_SPECIALS on.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens: tuple[str, ...] = (*SPECIALS, *tokens)
        self._ids = {token: id_ for id_, token in enumerate(self.tokens) if id_ >= NUM_SPECIALS}

    @classmethod
    def build(cls, counts: Mapping[str, int], *, min_freq: int = 1, max_size: int | None = None) -> "Vocabulary":
        """The most frequent tokens first, equally frequent ones in alphabetical order.

        Args:
            counts: of each token in the training split.
            min_freq: rarer tokens are left out.
            max_size: of ordinary tokens, the special ones not counted; None for no limit.
        """
        chosen = [token for token, count in counts.items() if count >= min_freq and token not in SPECIALS]
        chosen.sort(key=lambda token: (-counts[token], token))
        return cls(chosen[:max_size])

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids of tokens, UNK for those that are not known; no eos is added."""
        ids = self._ids
        return [ids.get(token, UNK) for token in tokens]

    def decode(self, ids: Sequence[int]) -> list[str]:
        """Tokens of ids; pad, bos and eos are dropped, unk stays `<unk>`."""
        return [self.tokens[id_] for id_ in ids if id_ == UNK or id_ >= NUM_SPECIALS]

    def save(self, path: Path) -> None:
        """Writes one token a line, the special ones included; the line number is the id.

        Raises:
            ValueError: if a token holds a line feed.
        """
        broken = next((token for token in self.tokens if "\n" in token), None)
        if broken is not None:
            raise ValueError(f"token {broken!r} holds a line feed and cannot be saved as a line")
        path.write_text("".join(f"{token}\n" for token in self.tokens), encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
            RequestError: if the file is missing or does not begin with the special tokens.
        """
        try:
            with path.open(encoding="utf-8", newline="\n") as stream:
                tokens = [line.removesuffix("\n") for line in stream]
        except FileNotFoundError as error:
            raise RequestError(f"{path}: no such file; a vocabulary was expected") from error
        except UnicodeDecodeError as error:
            raise RequestError(f"{path}: not valid UTF-8 ({error.reason}); a vocabulary was expected") from error
        if tuple(tokens[:NUM_SPECIALS]) != SPECIALS:
            raise RequestError(f"{path}: a vocabulary begins with the lines {' '.join(SPECIALS)}, found {tokens[:4]}")
        return cls(tokens[NUM_SPECIALS:])
