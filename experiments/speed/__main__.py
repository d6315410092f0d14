"""`python -m experiments.speed COMMAND`: measures, writes results, prints tables."""

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.speed.arguments import HERE, parser
from experiments.speed.corpus import choose_corpus
from experiments.speed.product import Bench, say
from experiments.speed.results import FOLDER, check_label, write_result
from experiments.speed.scaling import DIMENSIONS
from experiments.speed.tables import render, update
from experiments.speed.workloads import read_plan
from s2s_lab.faults import RequestError, RunError

PARTS = ("train", "decode")  # of a comparison with a peer


def main() -> None:
    """Runs one command. Exit codes: 0 done, 1 failed, 2 the request was wrong, with one line that says why."""
    try:
        run(sys.argv[1:])
    except RequestError as error:
        _end(error, 2)
    except RunError as error:
        _end(error, 1)
    except KeyboardInterrupt:
        _end(RunError("interrupted"), 128 + signal.SIGINT)


def run(words: Sequence[str]) -> None:
    """Runs one command.

    Args:
        words: of the command line.

    Raises:
        RequestError: if they are wrong.
        RunError: if a measurement fails.
    """
    chosen = parser().parse_args(words)
    if chosen.command == "table":
        update(chosen.readme, chosen.results)
        return
    check(chosen)
    plan = read_plan()
    bench = Bench(
        plan=plan,
        corpus=choose_corpus(chosen.data, chosen.scratch, chosen.corpus_seed),
        scratch=chosen.scratch,
        threads=chosen.threads,
    )
    began = time.perf_counter()
    for name in ("train", "decode", "data", "shares") if chosen.command == "bench" else (chosen.command,):
        MEASUREMENTS[name](bench, chosen)
    say(f"measured in {(time.perf_counter() - began) / 60:.1f} min")


def check(chosen: argparse.Namespace) -> None:
    """Checks what can be checked before anything is measured.

    Raises:
        RequestError: if a name is unknown or the peer is not there.
    """
    from experiments.speed.decoding import precisions
    from experiments.speed.training import allocators

    check_label(chosen.label)
    plan, given = read_plan(), vars(chosen)
    plan.chosen_workloads(given.get("workloads") or [given.get("workload", "M1")])
    for option in ("settings", "shares_settings"):
        plan.chosen_settings(given.get(option) or [])
    plan.chosen_settings([given["setting"]] if "setting" in given else [])
    known = {
        "allocators": allocators,
        "precisions": precisions,
        "dimensions": lambda: DIMENSIONS,
        "parts": lambda: PARTS,
    }
    for option, expected in known.items():
        names = given.get(option) or []
        unknown = [name for name in names if name not in expected()]
        if unknown:
            raise RequestError(f"--{option} {unknown[0]}: unknown; expected some of {', '.join(expected())}")
    if chosen.command == "peer":
        from experiments.speed.peer import MODELS

        unknown = [name for name in chosen.workloads if name not in MODELS]
        if unknown:
            raise RequestError(f"--workloads {unknown[0]}: the peer has {', '.join(MODELS)}")
        peer(chosen)


def peer(chosen: argparse.Namespace) -> Any:
    """The peer that the command line names; see Peer."""
    from experiments.speed.peer import Peer

    return Peer(chosen.peer_python, chosen.peer_drivers, chosen.peer_home, chosen.threads)


def tell(bench: Bench, chosen: argparse.Namespace, name: str, facts: Mapping[str, Any]) -> None:
    """Writes a section's results, prints its tables, and puts those of the page's own folder into the page."""
    about = {"corpus": bench.corpus.about, "threads": bench.threads, "peak_gflops": peaks(bench.threads)}
    document = write_result(chosen.results, name, {**about, **facts}, label=chosen.label)
    print(f"\n## {name}\n\n{render(name, {chosen.label: document})}\n", flush=True)
    if chosen.results.resolve() == FOLDER.resolve():
        update(HERE / "README.md", FOLDER)


def peaks(threads: int | None) -> dict[str, float]:
    """The most GFLOP/s of products of square matrices in each arithmetic; {} on another device than a CPU."""
    import torch

    from experiments.speed.floors import peak_flops_of_arithmetic

    if torch.cuda.is_available():
        return {}
    return {name: flops / 1e9 for name, flops in peak_flops_of_arithmetic(threads).items()}


def train(bench: Bench, chosen: argparse.Namespace) -> None:
    """Training speed."""
    from experiments.speed.training import allocators, measure_training

    rows = measure_training(
        bench,
        bench.plan.chosen_workloads(chosen.workloads),
        bench.plan.chosen_settings(chosen.settings),
        allocators=chosen.allocators or allocators(),
        rounds=chosen.rounds,
        warm_up=chosen.warm_up,
        seconds=chosen.seconds,
    )
    tell(bench, chosen, "train", {"rows": rows})


def decode(bench: Bench, chosen: argparse.Namespace) -> None:
    """Decoding speed."""
    from experiments.speed.decoding import measure_decoding, precisions

    rows = measure_decoding(
        bench,
        bench.plan.chosen_workloads(chosen.workloads),
        precisions=chosen.precisions or precisions(),
        train_steps=chosen.train_steps,
        batch_sentences=chosen.batch_sentences,
        repeats=chosen.repeats,
        fresh=chosen.fresh,
        reference_lengths=chosen.reference_lengths,
    )
    name = "decode_lengths" if chosen.reference_lengths else "decode"
    tell(bench, chosen, name, {"train_steps": chosen.train_steps, "rows": rows})


def data(bench: Bench, chosen: argparse.Namespace) -> None:
    """Data loading."""
    from experiments.speed.loading import measure_loading

    tell(bench, chosen, "data", {"rows": measure_loading(bench, pairs=chosen.pairs, repeats=chosen.data_repeats)})


def shares(bench: Bench, chosen: argparse.Namespace) -> None:
    """Shares of time, and bounds."""
    from experiments.speed.shares import measure_shares

    rows = measure_shares(
        bench,
        bench.plan.chosen_workloads(chosen.workloads),
        bench.plan.chosen_settings(chosen.shares_settings),
        seconds=chosen.shares_seconds,
    )
    tell(bench, chosen, "shares", {"rows": rows})


def beside_peer(bench: Bench, chosen: argparse.Namespace) -> None:
    """Training and decoding in turn with a peer."""
    from experiments.speed.decoding import precisions
    from experiments.speed.peer import decode_in_turn, train_in_turn

    workloads = bench.plan.chosen_workloads(chosen.workloads)
    other = peer(chosen)
    if "train" in chosen.parts:
        rows = train_in_turn(
            bench, other, workloads, bench.plan.chosen_settings(chosen.settings),
            rounds=chosen.rounds, warm_up=chosen.warm_up, seconds=chosen.seconds,
        )  # fmt: skip
        tell(bench, chosen, "peer_train", {"rows": rows})
    if "decode" in chosen.parts:
        rows = decode_in_turn(
            bench, other, workloads, precisions=chosen.precisions or precisions(), rounds=chosen.rounds,
            repeats=chosen.repeats, train_steps=chosen.train_steps, batch_sentences=chosen.batch_sentences,
            peer_batch=chosen.peer_batch,
        )  # fmt: skip
        tell(bench, chosen, "peer_decode", {"train_steps": chosen.train_steps, "rows": rows})


def growth(bench: Bench, chosen: argparse.Namespace) -> None:
    """Growth of time and memory, and its picture."""
    from experiments.speed.growth import measure_growth
    from experiments.speed.plot import plot_growth

    (workload,) = bench.plan.chosen_workloads([chosen.workload])
    (setting,) = bench.plan.chosen_settings([chosen.setting]).values()
    rows = measure_growth(
        bench, workload, setting, dimensions=chosen.dimensions, largest={"pairs": chosen.pairs}, seconds=chosen.seconds
    )
    plot_growth(rows, chosen.plot)
    about = {"corpus": "random sentences", "workload": chosen.workload, "setting": chosen.setting}
    tell(bench, chosen, "growth", {**about, "plot": chosen.plot.name, "rows": rows})


def startup(bench: Bench, chosen: argparse.Namespace) -> None:
    """Seconds to the first step and to the first translation."""
    from experiments.speed.startup import measure_startup

    tell(bench, chosen, "startup", {"corpus": "SCAN", "rows": measure_startup(bench, repeats=chosen.repeats)})


def quality(bench: Bench, chosen: argparse.Namespace) -> None:
    """Validation losses after equal steps in each arithmetic."""
    from experiments.speed.quality import measure_quality

    rows = measure_quality(
        bench,
        bench.plan.chosen_workloads(chosen.workloads),
        bench.plan.chosen_settings(chosen.settings),
        seeds=chosen.seeds,
        steps=chosen.steps,
        fresh=chosen.fresh,
    )
    tell(bench, chosen, "quality", {"steps": chosen.steps, "rows": rows})


MEASUREMENTS = {
    "train": train, "decode": decode, "data": data, "shares": shares, "peer": beside_peer, "growth": growth,
    "startup": startup, "quality": quality,
}  # fmt: skip


def _end(error: BaseException, code: int) -> None:
    print(f"experiments.speed: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
