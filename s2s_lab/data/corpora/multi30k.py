"""Multi30k: image captions in English, German and French."""

from collections.abc import Sequence
from pathlib import Path

from s2s_lab.data.corpora.files import AlignedFiles, AlignedSources, FileCorpus, existing
from s2s_lab.faults import RequestError

LANGUAGES = ("en", "de", "fr")


class Multi30kCorpus(FileCorpus):
    """29,000 captions to train, 1,014 to validate, test sets by name; any two of en, de, fr in either direction.

    Or two of them are sources of the third.

    Paper: Elliott, Frank, Sima'an, Specia 2016, "Multi30K: Multilingual English-German Image Descriptions",
    arXiv 1605.00459, task 1.

    Reads {root}/multi30k/{train,val,TEST}.{language}.gz (or the same unpacked).

    Args:
        root: the folder that holds multi30k/ (`paths.data`).
        source: en, de or fr; or several of them, each a source of the same target.
        target: another of them.
        tests: names of the test sets, the first of which is `test`.

    Raises:
        RequestError: if a language is unknown or a file is missing.
    """

    name = "multi30k"
    citation = "Elliott, Frank, Sima'an and Specia 2016, arXiv 1605.00459"
    licence = "non-commercial research and education (Flickr30k terms)"

    def __init__(
        self,
        *,
        root: str | None,
        source: str | Sequence[str],
        target: str,
        tests: Sequence[str] = ("test_2016_flickr",),
    ) -> None:
        sources = [source] if isinstance(source, str) else list(source)
        for key, language in (*(("data.source", each) for each in sources), ("data.target", target)):
            if language not in LANGUAGES:
                raise RequestError(f"{key}={language}: multi30k has {', '.join(LANGUAGES)}")
        if len({*sources, target}) <= len(sources) or not sources:
            different = "two different languages" if isinstance(source, str) else "different languages"
            raise RequestError(f"data.source={_shown(source)} data.target={target}: {different} are expected")
        if not tests:
            raise RequestError("data.corpus.tests is empty: at least one test set is expected")
        folder = Path(root or "") / "multi30k"
        names = {"train": "train", "validation": "val"} | {test: test for test in tests}

        def file(stem: str, language: str) -> Path:
            return existing(folder / f"{stem}.{language}.gz", root=root, hint="the folder that holds multi30k/")

        if len(sources) == 1:
            files = {split: AlignedFiles(file(stem, sources[0]), file(stem, target)) for split, stem in names.items()}
        else:
            files = {
                split: AlignedSources(tuple(file(stem, each) for each in sources), file(stem, target))
                for split, stem in names.items()
            }
        super().__init__(files=files, source="-".join(sources), target=target, num_sources=len(sources))


def _shown(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else f"[{','.join(map(str, source))}]"
