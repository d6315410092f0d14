"""Decoding speed: `s2s-evaluate` on a trained run, and what its records say of speed and quality."""

import functools
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.speed.corpus import quoted, word
from experiments.speed.product import Bench, LeftOut, run, say, trained
from experiments.speed.rates import medians
from experiments.speed.workloads import Workload
from s2s_lab.assemble.schema import Evaluation
from s2s_lab.faults import RunError
from s2s_lab.records.durable import read_json
from s2s_lab.records.run_folder import RunFolder

STRATEGIES: dict[str, tuple[str, ...]] = {
    "greedy": ("decoding=greedy", "decoding.max_length=40"),
    "beam 5": ("decoding=beam", "decoding.size=5", "decoding.max_length=40"),
}


def precisions() -> list[str]:
    """The values of `precision` that s2s-evaluate takes, without float64."""
    known = typing.get_args(typing.get_type_hints(Evaluation)["precision"])
    return [name for name in known if name != "float64"]


def measure_decoding(
    bench: Bench,
    workloads: Sequence[Workload],
    *,
    precisions: Sequence[str],
    train_steps: int,
    batch_sentences: int,
    repeats: int,
    fresh: bool,
    reference_lengths: bool = False,
) -> list[dict[str, Any]]:
    """Decodes the test set with every strategy and precision, and in the fastest precision with a shortlist.

    Without a shortlist where nothing was learned that it could be right about.

    Args:
        bench: what all measurements share.
        workloads: the models, each trained first where no earlier run is there.
        precisions: values of `precision`.
        train_steps: optimizer steps of those trainings.
        batch_sentences: in a batch.
        repeats: passes over the test set in one process; rows hold medians.
        fresh: whether earlier runs are left aside.
        reference_lengths: whether every output gets as many symbols as its reference, however little was learned.

    Returns:
        A row for each workload, strategy and precision, and for each shortlist. A workload that fails is told and left
        out.

    Raises:
        RunError: if all of them fail.
    """
    rows, left_out = [], LeftOut()
    for workload in workloads:
        with left_out.told():
            model = trained(bench, workload, train_steps, fresh=fresh)
            for strategy in STRATEGIES:
                say(f"decode {workload.name} {strategy}, {repeats} times")
                decode = functools.partial(
                    decode_once, bench, model, strategy,
                    batch_sentences=batch_sentences, repeats=repeats, reference_lengths=reference_lengths,
                )  # fmt: skip
                found = decode(precisions)
                if not reference_lengths:
                    found |= decode([fastest(found)], shortlist=True)
                for precision, records in found.items():
                    row = {"workload": workload.name, "strategy": strategy, "precision": precision}
                    rows.append({**row, **medians(records), "rounds": records})
    left_out.check(rows)
    return rows


def fastest(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The precision that gives the most tokens a second in the median pass."""
    return max(found, key=lambda precision: medians(found[precision])["tokens_per_s"])


def decode_once(
    bench: Bench,
    model: RunFolder,
    strategy: str,
    precisions: Sequence[str],
    *,
    batch_sentences: int,
    repeats: int,
    shortlist: bool = False,
    reference_lengths: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """Decodes the test set in each precision, in one process.

    Args:
        bench: what all measurements share.
        model: a finished run.
        strategy: one of STRATEGIES.
        precisions: values of `precision`.
        batch_sentences: in a batch.
        repeats: passes over the test set.
        shortlist: whether the output layer works on a shortlist.
        reference_lengths: whether every output gets as many symbols as its reference.

    Returns:
        By precision, with `, shortlist` behind it where there is one: a record of each pass.

    Raises:
        RunError: if the command fails or leaves no record.
    """
    words = [
        f"runs=[{quoted(model.path)}]", *STRATEGIES[strategy], f"precision={','.join(precisions)}",
        f"batch_sentences={batch_sentences}", "attention_sentences=0", word("paths.outputs", bench.scratch),
        f"repeats={repeats}", f"shortlist={str(shortlist).lower()}", "again=true", "trace_sentences=0",
        f"oracle_length={str(reference_lengths).lower()}",
    ]  # fmt: skip
    threads = {} if bench.threads is None else {"OMP_NUM_THREADS": str(bench.threads)}
    words += [] if bench.threads is None else [f"num_threads={bench.threads}"]
    multirun = ["-m"] if len(precisions) > 1 else []
    out = run("evaluate", [*multirun, *words], environment=threads)
    folders = [Path(line.partition("sentences/s")[2].strip()) for line in out.splitlines() if "sentences/s" in line]
    if len(folders) != len(precisions):
        raise RunError(f"s2s-evaluate told of {len(folders)} evaluations, {len(precisions)} were expected")
    names = [f"{precision}, shortlist" if shortlist else precision for precision in precisions]
    records = [pass_records(read_json(folder / "scores.json")) for folder in folders]
    return dict(zip(names, records, strict=True))


def pass_records(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Speed, output length and quality of each pass, from the facts of an evaluation."""
    scores = {score["name"]: score["value"] for score in facts["scores"]}
    sentences, tokens = (facts[f"{what}_per_second"] * facts["seconds"] for what in ("sentences", "tokens"))
    return [
        {
            "sentences_per_s": round(sentences / seconds, 2),
            "tokens_per_s": round(tokens / seconds, 2),
            "mean_length": round(tokens / sentences, 2),
            "seconds": seconds,
            "bleu": scores.get("bleu"),
            "signature": facts["signature"],
            "shortlist": facts["shortlist"],
        }
        for seconds in facts["passes"]
    ]
