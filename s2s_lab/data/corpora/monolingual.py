"""Text of one language in anybody's own files: targets without sources, for a language model."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from s2s_lab.data.corpora.base import Corpus, Pair
from s2s_lab.data.corpora.files import find_file, read_lines, sha256_of, values_of
from s2s_lab.faults import RequestError


class MonolingualCorpus(Corpus):
    """Lines of the user's own text files; every source is empty.

    Args:
        train: {text}: a plain or .gz file, its path relative to the current folder, or to `root`.
        validation: the same.
        test: the same, or empty when there is no test set.
        root: `paths.data`, or None.
        target: language or label of the text.

    Raises:
        RequestError: if a file is not named or missing, or train and validation are the same file.
    """

    name = "monolingual"
    citation = "the user's own files"
    licence = "the user's own"
    monolingual = True

    def __init__(
        self,
        *,
        train: Mapping[str, str | None],
        validation: Mapping[str, str | None],
        test: Mapping[str, str | None] | None = None,
        root: str | None = None,
        target: str = "target",
    ) -> None:
        given = {"train": train, "validation": validation} | ({"test": test} if values_of(test) else {})
        self._files = {split: _find(split, values_of(node), root) for split, node in given.items()}
        if self._files["train"].samefile(self._files["validation"]):
            raise RequestError(
                f"data.train and data.validation are the same file {self._files['train']}: two splits are expected"
            )
        self.source, self.target = "nothing", target

    def splits(self) -> tuple[str, ...]:
        """Names of the splits, train and validation first."""
        return tuple(self._files)

    def stream(self, split: str) -> Iterator[Pair]:
        """Reads the lines of a split once, each after an empty source."""
        return (("", line) for line in read_lines(self._files[split]))

    def fingerprint(self) -> dict[str, str]:
        """sha256 of each file, by split and file name."""
        return {f"{split}/{path.name}": sha256_of(path) for split, path in self._files.items()}


def _find(split: str, node: dict[str, str], root: str | None) -> Path:
    if set(node) != {"text"}:
        raise RequestError(f"data.{split}: text=FILE is expected, found {', '.join(sorted(node)) or 'nothing'}")
    return find_file(split, "text", node["text"], root)
