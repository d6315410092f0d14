"""Data loading: the product's batches and collator over the real corpus, and over made-up pairs in a memory map."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.speed.child import measured, settings_of
from experiments.speed.corpus import DEVIATION, LONGEST, MEAN_LENGTH, SHORTEST, draw_ranks, word
from experiments.speed.product import Bench, say
from experiments.speed.rates import medians
from s2s_lab.assemble.preparation import prepare_data
from s2s_lab.data.encoded import SIDES, write_meta
from s2s_lab.data.vocabulary import EOS, NUM_SPECIALS

VOCABULARY = 8_000  # tokens of each side of the made-up pairs
CHUNK = 100_000  # made-up pairs that are written together


def measure_loading(bench: Bench, *, pairs: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """Streams one epoch of the corpus, and one of each number of made-up pairs; each in a process of its own.

    Args:
        bench: what all measurements share.
        pairs: numbers of made-up pairs.
        repeats: how often each is read; rows hold medians.

    Returns:
        A row for the corpus and for each number.
    """
    settings = settings_of([*bench.plan.data, *bench.corpus.words(), word("paths.outputs", bench.scratch)])
    folder = prepare_data(settings)[0].folder / "train"
    say(f"read an epoch of the corpus, {repeats} times")
    rows = [{"corpus": bench.corpus.about, **_streamed(folder, settings, repeats)}]
    for count in pairs:
        say(f"read an epoch of {count:,} made-up pairs, {repeats} times")
        made = bench.scratch / f"pairs-{count}"
        try:
            began = time.perf_counter()
            write_pairs(made, count, seed=1)
            spent = round(time.perf_counter() - began, 1)
            rows.append({"corpus": "made up", **_streamed(made, settings, repeats), "written_in_s": spent})
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return rows


def _streamed(folder: Path, settings: Mapping[str, Any], repeats: int) -> dict[str, Any]:
    task = {"folder": str(folder), "max_sentences": settings["data"]["batch"]["max_sentences"]}
    records = [measured("stream", task) for _ in range(repeats)]
    return {**medians(records), "rounds": records}


def write_pairs(folder: Path, count: int, *, seed: int) -> None:
    """Writes an encoded split of made-up pairs with the lengths and word frequencies of the synthetic corpus.

    Args:
        folder: is made anew.
        count: of pairs.
        seed: of lengths and words.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    totals = dict.fromkeys(SIDES, 0)
    for number, start in enumerate(range(0, count, CHUNK)):
        chance = np.random.default_rng([seed, number])
        for side in SIDES:
            ids, ends = _made_up(min(CHUNK, count - start), chance)
            ends += totals[side]
            with (folder / f"{side}.ids").open("ab") as stream:
                ids.tofile(stream)
            with (folder / f"{side}.offsets").open("ab") as stream:
                (ends if start else np.concatenate([[0], ends])).astype(np.int64).tofile(stream)
            totals[side] = int(ends[-1])
    write_meta(folder, {"sentences": count, "dtype": "uint16", **{f"{side}_tokens": totals[side] for side in SIDES}})


def _made_up(count: int, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ids of sentences one after the other, each ending with eos, and where each ends."""
    lengths = np.rint(chance.normal(MEAN_LENGTH, DEVIATION, count)).astype(np.int64).clip(SHORTEST, LONGEST)
    ends = np.cumsum(lengths + 1)
    ids = (NUM_SPECIALS + draw_ranks(int(ends[-1]), chance, range(VOCABULARY - NUM_SPECIALS))).astype(np.uint16)
    ids[ends - 1] = EOS
    return ids, ends
