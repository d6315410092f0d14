"""A peer side by side: its own driver programs and the product in turn, and the ratio of medians."""

import functools
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.speed.decoding import STRATEGIES, decode_once, fastest
from experiments.speed.product import Bench, say, trained
from experiments.speed.rates import json_lines, medians
from experiments.speed.training import train_once
from experiments.speed.workloads import Workload
from s2s_lab.faults import RequestError, RunError
from s2s_lab.sweeps.process import RETAINING_ALLOCATOR

BEAMS = {"greedy": 1, "beam 5": 5}
MODELS = ("M1", "M2")  # workloads that the drivers know under the same name
RATES = ("tokens_per_s", "sentences_per_s")
OURS, PEER = "ours", "peer"
DEFAULT, TUNED = "default", "ours"  # allocator of the peer: its own, or the settings that the product gives itself
ALLOCATORS: dict[str, dict[str, str]] = {DEFAULT: {}, TUNED: {"GLIBC_TUNABLES": RETAINING_ALLOCATOR}}


@dataclass(frozen=True)
class Peer:
    """An installed peer and the programs that measure it.

    Args:
        python: its interpreter.
        drivers: folder of opennmt_train.py and opennmt_decode.py, which print JSON lines.
        home: its folder, handed over as PEERS; holds its data and its checkpoints.
        threads: of its processes, or None for all cores.

    Raises:
        RequestError: if one of them is not there.
    """

    python: Path
    drivers: Path
    home: Path
    threads: int | None

    def __post_init__(self) -> None:
        if not os.access(self.python, os.X_OK) or self.python.is_dir():
            raise RequestError(f"--peer-python {self.python}: no program there")
        for name in ("opennmt_train.py", "opennmt_decode.py"):
            if not (self.drivers / name).is_file():
                raise RequestError(f"--peer-drivers {self.drivers}: there is no {name} in it")
        if not self.home.is_dir():
            raise RequestError(f"--peer-home {self.home}: no such folder")

    def train(self, model: str, seconds: float, allocator: str) -> dict[str, Any]:
        """Trains for a while; speed and peak memory as its driver prints them."""
        line = self._run("opennmt_train.py", [model, str(seconds)], allocator, ("tokens_per_s", "peak_mb"))[-1]
        return {**line, "peak_memory_mb": line["peak_mb"]}

    def decode(self, model: str, beam: int, repeats: int, batch: int, allocator: str) -> list[dict[str, Any]]:
        """Decodes the test set `repeats` times in one process with its newest checkpoint; a record of each pass."""
        words = [model, str(beam), str(repeats), str(batch)]
        return self._run("opennmt_decode.py", words, allocator, RATES)

    def _run(self, driver: str, words: Sequence[str], allocator: str, needed: Sequence[str]) -> list[dict[str, Any]]:
        threads = str(self.threads or len(os.sched_getaffinity(0)))
        own = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
        done = subprocess.run(
            [str(self.python.absolute()), str((self.drivers / driver).absolute()), *words],
            env={**own, "PEERS": str(self.home.absolute()), "OMP_NUM_THREADS": threads, **ALLOCATORS[allocator]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise RunError(f"the peer's {driver} {' '.join(words)} failed: {lines[-1] if lines else 'without a word'}")
        return json_lines(done.stdout, needed)


class Rounds:
    """Records of what was measured in turn, by workload, kind, who, arithmetic and allocator."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def add(self, workload: str, kind: str, who: str, setting: str, allocator: str, record: Mapping[str, Any]) -> None:
        """Takes one record; `kind` is train or a decoding strategy."""
        self._found.setdefault((workload, kind, who, setting, allocator), []).append(dict(record))

    def rows(self) -> list[dict[str, Any]]:
        """A row for each thing measured: medians, and on our rows the ratios to the peer's by its allocator."""
        names = ("workload", "kind", "who", "setting", "allocator")
        rows = [
            {**dict(zip(names, key, strict=True)), **medians(records), "rounds": records}
            for key, records in self._found.items()
        ]
        peers = [row for row in rows if row["who"] == PEER]
        for row in rows:
            beside = [peer for peer in peers if (peer["workload"], peer["kind"]) == (row["workload"], row["kind"])]
            if row["who"] == OURS:
                row["ratios"] = {peer["allocator"]: ratios(row, peer) for peer in beside}
        return rows


def ratios(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> dict[str, float]:
    """How many times the peer's each rate of ours is."""
    return {rate: ours[rate] / peer[rate] for rate in RATES if rate in ours and rate in peer}


def train_in_turn(
    bench: Bench,
    peer: Peer,
    workloads: Sequence[Workload],
    settings: Mapping[str, Sequence[str]],
    *,
    rounds: int,
    warm_up: float,
    seconds: float,
) -> list[dict[str, Any]]:
    """Trains ours in every setting and the peer with both allocators, one after the other, `rounds` times.

    Ours runs with the product's default allocator setting.

    Args:
        bench: what all measurements share.
        peer: the peer.
        workloads: models that the peer has under the same name.
        settings: words of each arithmetic.
        rounds: how often.
        warm_up: seconds of ours that are left out; the peer's driver has its own.
        seconds: measured after that.
    """
    found = Rounds()
    for number in range(rounds):
        for workload in workloads:
            for setting, words in settings.items():
                say(f"train {workload.name}: ours {setting}, round {number + 1} of {rounds}")
                record = train_once(bench.words(workload, words), warm_up=warm_up, seconds=seconds)
                found.add(workload.name, "train", OURS, setting, DEFAULT, record)
            for allocator in ALLOCATORS:
                say(f"train {workload.name}: peer, allocator {allocator}, round {number + 1} of {rounds}")
                record = peer.train(workload.name, seconds, allocator)
                found.add(workload.name, "train", PEER, "float32", allocator, record)
    return found.rows()


def decode_in_turn(
    bench: Bench,
    peer: Peer,
    workloads: Sequence[Workload],
    *,
    precisions: Sequence[str],
    rounds: int,
    repeats: int,
    train_steps: int,
    batch_sentences: int,
    peer_batch: int,
) -> list[dict[str, Any]]:
    """Decodes the test set with ours in every precision and with the peer, one after the other, `rounds` times.

    Ours also decodes with a shortlist, in the precision that was the fastest in the first round. Every process makes
    several passes, ours and the peer's as many; medians are over the passes of all rounds.

    Args:
        bench: what all measurements share.
        peer: the peer; its newest checkpoint of each model decodes.
        workloads: models that the peer has under the same name.
        precisions: of ours.
        rounds: how often.
        repeats: passes over the test set in each process.
        train_steps: optimizer steps of our model.
        batch_sentences: of ours.
        peer_batch: sentences in a batch of the peer's.
    """
    found = Rounds()
    models = {workload.name: trained(bench, workload, train_steps) for workload in workloads}
    listed: dict[tuple[str, str], str] = {}
    for number in range(rounds):
        for workload in workloads:
            for strategy in STRATEGIES:
                say(f"decode {workload.name} {strategy}, ours and the peer, round {number + 1} of {rounds}")
                run = models[workload.name]
                decode = functools.partial(
                    decode_once, bench, run, strategy, batch_sentences=batch_sentences, repeats=repeats
                )
                passes = decode(precisions)
                best = listed.setdefault((workload.name, strategy), fastest(passes))
                passes |= decode([best], shortlist=True)
                for precision, records in passes.items():
                    for record in records:
                        found.add(workload.name, strategy, OURS, precision, DEFAULT, record)
                for allocator in ALLOCATORS:
                    for record in peer.decode(workload.name, BEAMS[strategy], repeats, peer_batch, allocator):
                        found.add(workload.name, strategy, PEER, "float32", allocator, record)
    return found.rows()
