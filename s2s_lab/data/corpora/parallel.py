"""Anybody's own pairs: two aligned text files for each split, plain or .gz, or one tab-separated file."""

from collections.abc import Mapping

from s2s_lab.data.corpora.files import AlignedFiles, FileCorpus, TabSeparatedFile, find_file, values_of
from s2s_lab.faults import RequestError

FORM = "source=FILE and target=FILE, or tsv=FILE"


class ParallelCorpus(FileCorpus):
    """Pairs in the user's own files.

    Args:
        train: {source, target} or {tsv}: paths relative to the current folder, or to `root`.
        validation: the same.
        test: the same, or empty when there is no test set.
        root: `paths.data`, or None.
        source: language or label of the source side.
        target: language or label of the target side.

    Raises:
        RequestError: if a split is not given in one of the two forms, a file is missing, or train and validation are
            the same files.
    """

    name = "parallel"
    citation = "the user's own files"
    licence = "the user's own"

    def __init__(
        self,
        *,
        train: Mapping[str, str | None],
        validation: Mapping[str, str | None],
        test: Mapping[str, str | None] | None = None,
        root: str | None = None,
        source: str = "source",
        target: str = "target",
    ) -> None:
        given = {"train": train, "validation": validation} | ({"test": test} if values_of(test) else {})
        files = {split: _files(split, values_of(node), root) for split, node in given.items()}
        for one, other in zip(files["train"].paths(), files["validation"].paths(), strict=False):
            if one.samefile(other):
                raise RequestError(f"data.train and data.validation are the same file {one}: two splits are expected")
        super().__init__(files=files, source=source, target=target)


def _files(split: str, node: dict[str, str], root: str | None) -> AlignedFiles | TabSeparatedFile:
    if set(node) == {"tsv"}:
        return TabSeparatedFile(find_file(split, "tsv", node["tsv"], root))
    if set(node) == {"source", "target"}:
        return AlignedFiles(*(find_file(split, side, node[side], root) for side in ("source", "target")))
    found = ", ".join(sorted(node)) or "nothing"
    raise RequestError(f"data.{split}: {FORM} is expected, found {found}")
