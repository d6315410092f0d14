"""Anybody's own pairs: two aligned text files for each split, plain or .gz, or one tab-separated file."""

from collections.abc import Mapping, Sequence

from s2s_lab.data.corpora.files import (
    AlignedFiles,
    AlignedSources,
    FileCorpus,
    Files,
    TabSeparatedFile,
    find_file,
    values_of,
)
from s2s_lab.faults import RequestError

FORM = "source=FILE and target=FILE, or tsv=FILE"
Node = Mapping[str, str | Sequence[str] | None]


class ParallelCorpus(FileCorpus):
    """Pairs in the user's own files.

    Args:
        train: {source, target} or {tsv}: paths relative to the current folder, or to `root`; a list of several paths
            as source gives several sources of each target, a tsv has as many of them as `source` has labels.
        validation: the same.
        test: the same, or empty when there is no test set.
        root: `paths.data`, or None.
        source: language or label of the source side; or a list of them, one for each of several sources.
        target: language or label of the target side.

    Raises:
        RequestError: if a split is not given in one of the two forms, a file is missing, train and validation are
            the same files, or the splits have different numbers of sources.
    """

    name = "parallel"
    names_tell_sides = False
    citation = "the user's own files"
    licence = "the user's own"

    def __init__(
        self,
        *,
        train: Node,
        validation: Node,
        test: Node | None = None,
        root: str | None = None,
        source: str | Sequence[str] = "source",
        target: str = "target",
    ) -> None:
        given = {"train": train, "validation": validation} | ({"test": test} if values_of(test) else {})
        labels = [source] if isinstance(source, str) else list(source)
        files = {split: _files(split, values_of(node), root, len(labels)) for split, node in given.items()}
        counts = {split: _count(each) for split, each in files.items()}
        expected = len(labels) if len(labels) > 1 else counts["train"]
        for split, count in counts.items():
            if count != expected:
                raise RequestError(f"data.{split}: {count} source files, expected {expected}, one for each source")
        for one, other in zip(files["train"].paths(), files["validation"].paths(), strict=False):
            if one.samefile(other):
                raise RequestError(f"data.train and data.validation are the same file {one}: two splits are expected")
        super().__init__(files=files, source="-".join(map(str, labels)), target=target, num_sources=expected)


def _count(files: Files) -> int:
    if isinstance(files, TabSeparatedFile):
        return files.num_sources
    return len(files.paths()) - 1


def _files(split: str, node: dict[str, str | Sequence[str]], root: str | None, labels: int) -> Files:
    texts = {key: value for key, value in node.items() if isinstance(value, str)}
    if set(node) == set(texts) == {"tsv"}:
        return TabSeparatedFile(find_file(split, "tsv", texts["tsv"], root), labels)
    if set(node) == set(texts) == {"source", "target"}:
        return AlignedFiles(*(find_file(split, side, texts[side], root) for side in ("source", "target")))
    if set(node) == {"source", "target"} and set(texts) == {"target"} and node["source"]:
        sources = [find_file(split, "source", str(each), root) for each in node["source"]]
        target = find_file(split, "target", texts["target"], root)
        return AlignedFiles(sources[0], target) if len(sources) == 1 else AlignedSources(tuple(sources), target)
    found = ", ".join(sorted(node)) or "nothing"
    raise RequestError(f"data.{split}: {FORM} is expected, found {found}")
