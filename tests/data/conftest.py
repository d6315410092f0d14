"""Folders of corpora for the tests: the real ones where they lie, equal small ones otherwise."""

import gzip
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from s2s_lab.data.corpora.parallel import ParallelCorpus

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS = "a the man woman child dog house tree Straße grün läuft steht été noir homme is on in two three with".split()
SENTENCES = {"train": 29000, "val": 1014, "test_2016_flickr": 1000}


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    """Writes lines as UTF-8, through gzip where the name says so."""
    content = "".join(f"{line}\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def captions(count: int, seed: int) -> list[str]:
    """Made-up sentences with lengths like those of captions."""
    chance = random.Random(seed)
    lengths = (min(40, max(4, round(chance.gauss(13, 4)))) for _ in range(count))
    return [" ".join(chance.choices(WORDS, k=length)).capitalize() + "." for length in lengths]


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for paths.data, with multi30k/ and tanaka_ja_en/."""
    real = Path(os.environ.get("S2S_LAB_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if (real / "multi30k").is_dir() and (real / "tanaka_ja_en").is_dir():
        return real
    root = tmp_path_factory.mktemp("data")
    for stem, count in SENTENCES.items():
        for language in ("en", "de", "fr"):
            write_lines(root / "multi30k" / f"{stem}.{language}.gz", captions(count, len(stem)))
    for stem, count in {"train": 10000, "dev": 500, "test": 500}.items():
        for language in ("ja", "en"):
            write_lines(root / "tanaka_ja_en" / f"{stem}.{language}.gz", captions(count, count))
    return root


MakeParallel = Callable[..., ParallelCorpus]


@pytest.fixture
def parallel(tmp_path: Path) -> MakeParallel:
    """Makes a parallel corpus of given pairs; a split that is not given has one pair of its own."""

    def make(**splits: Sequence[tuple[str, str]]) -> ParallelCorpus:
        nodes = {}
        for split in ("train", "validation", "test"):
            pairs = splits.get(split, [(f"{split} source", f"{split} target")])
            files = {
                side: str(write_lines(tmp_path / "corpus" / f"{split}.{side}", [pair[place] for pair in pairs]))
                for place, side in enumerate(("source", "target"))
            }
            nodes[split] = files
        return ParallelCorpus(**nodes, root=None, source="en", target="de")

    return make
