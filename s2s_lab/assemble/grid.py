"""A grid of evaluations over frozen runs, in one process: each model is loaded and each source read once."""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s2s_lab.assemble.evaluation import evaluate
from s2s_lab.assemble.inference import build_metrics, build_strategy, choose_device
from s2s_lab.assemble.workbench import Workbench
from s2s_lab.faults import RequestError, RunError
from s2s_lab.records.run_folder import RunFolder, find_runs

SHARED = ("split", "paths", "precision", "matmul_precision", "accelerator")
"""Settings of which equal ones follow each other, so that what evaluations share is made once and let go."""


@dataclass(frozen=True)
class Done:
    """An evaluation that is recorded.

    Attributes:
        run: the run.
        label: what the grid calls it; None where it has no name.
        folder: where it is recorded.
        facts: what scores.json holds.
        anew: False where it had been recorded before.
        words: what the command line said about it alone; may be empty.
    """

    run: RunFolder
    label: str | None
    folder: Path
    facts: dict[str, Any]
    anew: bool
    words: str = ""


@dataclass(frozen=True)
class Failed:
    """An evaluation that failed; the others went on.

    Attributes:
        run: the run.
        label: what the grid calls it, or what the command line said about it alone, or the strategy.
        error: why, on one line.
    """

    run: RunFolder
    label: str
    error: RequestError | RunError


def evaluate_runs(settings: Mapping[str, Any]) -> Iterator[tuple[RunFolder, Path, dict[str, Any]]]:
    """Evaluates every run that the settings name, one after the other.

    Args:
        settings: plain conf/evaluate.yaml.

    Yields:
        The run, its evaluation folder, and the facts written to scores.json.

    Raises:
        RequestError: if no run is named, a run is not finished, or its corpus cannot be read.
        RunError: if an evaluation failed.
    """
    for each in evaluate_grid([settings]):
        if isinstance(each, Failed):
            raise each.error
        yield each.run, each.folder, each.facts


def evaluate_grid(jobs: Sequence[Mapping[str, Any]]) -> Iterator[Done | Failed]:
    """Does every evaluation on every run that it names; run by run, and what is recorded already not again.

    Args:
        jobs: plain conf/evaluate.yaml of each.

    Yields:
        What became of each, as soon as it is recorded.

    Raises:
        RequestError: before the first one starts: if no run is named, none of them is finished, or a strategy or a
            metric cannot be built.
    """
    for job in jobs:
        _check(job)
    left_out: set[str] = set()
    asked: dict[Path, tuple[RunFolder, list[Mapping[str, Any]]]] = {}
    for job in jobs:
        for run in _finished_runs(job["runs"], left_out):
            asked.setdefault(run.path.resolve(), (run, []))[1].append(job)
    for run, own in asked.values():
        kept = max(job.get("encoded_megabytes", 0) for job in own) if len(own) > 1 else 0
        bench = Workbench(run, encoded_megabytes=kept)
        for job in _together(own):
            yield _evaluated(run, job, bench)


def _evaluated(run: RunFolder, job: Mapping[str, Any], bench: Workbench) -> Done | Failed:
    label, words = job.get("label"), job.get("words", "")
    try:
        torch.set_num_threads(job["num_threads"] or len(os.sched_getaffinity(0)))
        torch.set_float32_matmul_precision(job["matmul_precision"])
        done = evaluate(run, job, choose_device(job["accelerator"]), bench)
    except (RequestError, RunError) as error:
        return Failed(run, label or words or _strategy(job), error)
    except Exception as error:  # a fault of one strategy, an out-of-memory or a full disk costs that evaluation alone
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = (
            "" if isinstance(error, MemoryError | OSError) else f" ({Path(frame.filename).name}, line {frame.lineno})"
        )
        told = RunError(f"{type(error).__name__}: {' '.join(str(error).split())[:400]}{place}")
        told.__cause__ = error
        return Failed(run, label or words or _strategy(job), told)
    return Done(run, label, *done, words)


def _check(job: Mapping[str, Any]) -> None:
    """Builds what can be built without a run."""
    try:
        build_strategy(job["decoding"], job.get("constraint"))
        if job["metrics"]:
            build_metrics(job["metrics"])
    except RequestError as error:
        label = job.get("label")
        raise RequestError(f"{label}: {error}" if label else str(error)) from None


def _finished_runs(named: str | Sequence[str], left_out: set[str]) -> list[RunFolder]:
    """The runs at some places that have a model; says once of each other one that it is left out."""
    if not named:
        raise RequestError("runs=[DIR,...] is missing: name run folders, or folders that hold them")
    runs = find_runs([named] if isinstance(named, str) else named, check=False)
    faults = {str(run.path): fault for run in runs if (fault := _fault(run)) is not None}
    runs = [run for run in runs if str(run.path) not in faults]
    if not runs:
        raise RequestError(next(iter(faults.values())))
    for path, fault in faults.items():
        if path not in left_out:
            print(f"left out: {fault}", file=sys.stderr)
            left_out.add(path)
    return runs


def _fault(run: RunFolder) -> str | None:
    """Why a run cannot be evaluated; None where nothing is known against it."""
    try:
        finished = run.read().get("status") == "finished"
    except RequestError as error:
        return str(error)
    return None if finished else f"{run.path}: this run has no finished model"


def _together(jobs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The jobs, those that share most beside each other, else in their order."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for job in jobs:
        groups.setdefault(repr([job[key] for key in SHARED]), []).append(job)
    return [job for group in groups.values() for job in group]


def _strategy(job: Mapping[str, Any]) -> str:
    return build_strategy(job["decoding"], job.get("constraint")).name
