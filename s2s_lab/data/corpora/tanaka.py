"""The Tanaka corpus, Japanese and English, in the small tokenized form of nmt-tips."""

from pathlib import Path

from s2s_lab.data.corpora.files import AlignedFiles, FileCorpus, existing
from s2s_lab.faults import RequestError

LANGUAGES = ("ja", "en")


class TanakaCorpus(FileCorpus):
    """10,000 tokenized pairs to train, 500 to validate, 500 to test, in either direction.

    Paper: Neubig 2016, nmt-tips; pairs of the Tanaka corpus (Tanaka 2001).

    Reads {root}/tanaka_ja_en/{train,dev,test}.{ja,en}.gz (or the same unpacked).

    Args:
        root: the folder that holds tanaka_ja_en/ (`paths.data`).
        source: ja or en.
        target: the other.

    Raises:
        RequestError: if the languages are not these two or a file is missing.
    """

    name = "tanaka"
    citation = "Tanaka 2001, Compilation of a multilingual parallel corpus; subset of Neubig's nmt-tips"
    licence = "CC BY"

    def __init__(self, *, root: str | None, source: str = "ja", target: str = "en") -> None:
        if {source, target} != set(LANGUAGES):
            raise RequestError(f"data.source={source} data.target={target}: tanaka has ja and en")
        folder = Path(root or "") / "tanaka_ja_en"

        def file(stem: str, language: str) -> Path:
            return existing(folder / f"{stem}.{language}.gz", root=root, hint="the folder that holds tanaka_ja_en/")

        names = {"train": "train", "validation": "dev", "test": "test"}
        files = {split: AlignedFiles(file(stem, source), file(stem, target)) for split, stem in names.items()}
        super().__init__(files=files, source=source, target=target)
