"""Every pair of kinds of parts learns, decodes and steps as it was taught: a pairwise covering array is trained."""

import gzip
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from s2s_lab.assemble.network import build_network
from s2s_lab.data.batch import Batch
from s2s_lab.data.vocabulary import BOS, EOS, PAD, UNK
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.faults import RequestError
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.training.objectives.cross_entropy import CrossEntropy
from tests.contracts.covering import covering
from tests.contracts.options import options
from tests.contracts.options import settings as settings_of

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("S2S_LAB_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / "multi30k"
AXES = ("encoder", "decoder", "attention", "cell", "bridge", "output")
HARMLESS = {"encoder": "recurrent", "decoder": "attend_last", "attention": "general", "cell": "gru",
            "bridge": "zero", "output": "linear"}  # fmt: skip
WIDTHS = {"hidden_size": 12, "num_layers": 2, "embedding_size": 12, "num_heads": 2, "feedforward_size": 24,
          "readout_size": 12, "dropout": 0.0}  # fmt: skip
REFUSED_ALONE = {"attention=hierarchical": "attention=hierarchical attends to several sources"}
"""Options that no network of harmless parts can have, as `group=option`, with the beginning of the reason."""

PAIRS, STEPS, MOST_ROWS, VOCABULARY, LONGEST = 200, 20, 200, 100, 8


def settings(group: str, name: str) -> dict[str, Any]:
    """An option with what it inherits, at widths that keep the networks tiny."""
    found = settings_of(group, name)
    return found | {key: value for key, value in WIDTHS.items() if key in found}


def build(chosen: dict[str, str]) -> Seq2Seq:
    """Build a tiny network of the chosen options, harmless ones where none is chosen."""
    parts = {group: settings(group, option) for group, option in (HARMLESS | chosen).items()}
    parts |= {"embedding": settings("embedding", "separate"), "initialization": settings("initialization", "uniform")}
    return build_network(parts, source_size=VOCABULARY, target_size=VOCABULARY, shared=True)


class Kinds:
    """The options of each axis, those that one file builds together, and which of them stand together."""

    def __init__(self) -> None:
        self.of_axis: dict[str, dict[str, list[str]]] = {}
        for axis in AXES:
            kinds: dict[str, list[str]] = {}
            for option in options(axis):
                kinds.setdefault(settings(axis, option)["_target_"], []).append(option)
            self.of_axis[axis] = kinds
        self.used: Counter[tuple[str, str]] = Counter()
        self.reasons: dict[tuple[tuple[str, str], ...], str | None] = {}

    def reason(self, chosen: dict[str, str]) -> str | None:
        """Why some options cannot stand together; None where they can."""
        key = tuple(sorted(chosen.items()))
        if key not in self.reasons:
            try:
                with torch.device("meta"):
                    build(chosen)
                self.reasons[key] = None
            except RequestError as error:
                self.reasons[key] = str(error)
        return self.reasons[key]

    def choices(self, row: dict[str, str]) -> Iterator[dict[str, str]]:
        """The options of a row of kinds that can stand together, those used least first."""
        lists = [
            sorted(self.of_axis[axis][kind], key=lambda option, axis=axis: self.used[axis, option])
            for axis, kind in row.items()
        ]
        for found in itertools.product(*lists):
            chosen = dict(zip(row, found, strict=True))
            if self.reason(chosen) is None:
                yield chosen

    def refused(self, row: dict[str, str]) -> bool:
        return next(self.choices(row), None) is None

    def rows(self) -> list[dict[str, str]]:
        """Rows of options in which every two kinds meet that can, and every option stands that can stand alone."""
        covered = covering({axis: list(kinds) for axis, kinds in self.of_axis.items()}, self.refused)
        rows = []
        for row in covered:
            chosen = next(self.choices(row))
            self.used.update(chosen.items())
            rows.append(chosen)
        missing = [(axis, option) for axis in AXES for option in options(axis) if not self.used[axis, option]]
        return rows + [{**HARMLESS, axis: option} for axis, option in missing if self.reason({axis: option}) is None]


def lines(stem: str) -> list[str]:
    with gzip.open(DATA / f"{stem}.gz", "rt", encoding="utf-8") as file:
        return list(itertools.islice((line.lower().split() for line in file), 5000))  # type: ignore[arg-type]


def pairs() -> list[tuple[list[int], list[int]]]:
    """Short pairs of Multi30k over its most frequent words; made ones, turned round, where there is no such file."""
    if not (DATA / "train.en.gz").is_file():
        drawn = torch.randint(4, VOCABULARY, (PAIRS, LONGEST)).tolist()
        sources = [ids[: 2 + place % (LONGEST - 2)] for place, ids in enumerate(drawn)]
        return [(ids, ids[::-1]) for ids in sources]
    sides: list[list[list[int]]] = []
    short = [pair for pair in zip(lines("train.en"), lines("train.de"), strict=True) if max(map(len, pair)) <= LONGEST]
    assert len(short) >= PAIRS
    for side in zip(*short[:PAIRS], strict=True):
        frequent = Counter(word for line in side for word in line).most_common(VOCABULARY - 4)
        ids = {word: place for place, (word, _) in enumerate(frequent, 4)}
        sides.append([[ids.get(word, UNK) for word in line] for line in side])
    return list(zip(*sides, strict=True))


def batch_of(given: list[tuple[list[int], list[int]]]) -> Batch:
    padded = []
    for side in zip(*given, strict=True):
        lengths = torch.tensor([len(ids) + 1 for ids in side])
        rows = [[*ids, EOS] + [PAD] * (int(lengths.max()) - len(ids) - 1) for ids in side]
        padded.append((torch.tensor(rows), lengths))
    (targets, target_lengths), rows = padded[1], len(given)
    return Batch((padded[0],), targets, target_lengths, torch.arange(rows), rows, int(target_lengths.sum()))


def loss_of(network: Seq2Seq, batch: Batch) -> torch.Tensor:
    found = CrossEntropy()(network, batch)
    return found.total / found.tokens


def check(chosen: dict[str, str], whole: Batch, batches: list[Batch]) -> None:
    """Train a network for a few steps, then compare steps with forward and decode."""
    torch.manual_seed(1)
    network = build(chosen)
    with torch.no_grad():
        before = float(loss_of(network.eval(), whole))
    optimizer = torch.optim.Adam(network.train().parameters(), lr=0.01)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss_of(network, batches[step % len(batches)]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
    network.eval()
    with torch.no_grad():
        after = float(loss_of(network, whole))
        assert after < before, f"the loss went from {before:.3f} to {after:.3f}"
        few = batches[0]
        features, weights = network(few.sources, few.inputs)
        memory, state = network.start(few.sources)
        for position, ids in enumerate(few.inputs.unbind(1)):
            scores, state, shown = network.step(ids, state, memory)
            expected = network.output.scores(features[:, position])
            torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0.0)
            assert (shown is None) == (weights is None)
    decode(network, few)


def decode(network: Seq2Seq, batch: Batch) -> None:
    """Decode greedily and with beams: one of size 1 finds what greedy finds; every log-probability is one."""
    shared: dict[str, Any] = {"bos": BOS, "eos": EOS, "banned": (PAD, BOS), "max_length": 12}
    found = []
    for strategy in (GreedySearch(**shared), BeamSearch(size=1, **shared), BeamSearch(size=3, **shared)):
        with torch.inference_mode():
            memory, state = network.start(batch.sources)
            found.append(
                strategy.decode(
                    network.step, state, memory, source_lengths=batch.sources[0][1], sentence_index=batch.index,
                    return_weights=True,
                )
            )  # fmt: skip
    greedy, one, _ = found
    assert [nbest[0].ids for nbest in greedy] == [nbest[0].ids for nbest in one]
    for nbest in zip(*found, strict=True):
        for hypothesis in (each for hypotheses in nbest for each in hypotheses):
            assert -1e4 < hypothesis.log_prob <= 0.0


@pytest.mark.slow
def test_every_pair_of_kinds_learns_decodes_and_steps_as_it_was_taught() -> None:
    kinds = Kinds()
    alone = {f"{axis}={option}": kinds.reason({axis: option}) for axis in AXES for option in options(axis)}
    refused = {place: reason for place, reason in alone.items() if reason is not None}
    assert set(refused) == set(REFUSED_ALONE)
    assert all(reason.startswith(REFUSED_ALONE[place]) for place, reason in refused.items())
    rows = kinds.rows()
    assert len(rows) <= MOST_ROWS
    given = pairs()
    whole, batches = batch_of(given), [batch_of(given[start : start + 50]) for start in range(0, PAIRS, 50)]
    faults = []
    for chosen in rows:
        try:
            check(chosen, whole, batches)
        except Exception as error:
            faults.append(f"{'-'.join(chosen.values())}: {type(error).__name__}: {error}")
    print(f"{len(rows)} networks")
    assert not faults, "\n".join([f"{len(faults)} of {len(rows)}", *faults])
