"""Where the numbers come from: data, dates, software, hardware; and how to make them again."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.numbers import in_order
from s2s_lab.reports.runs import Run

SHOWN_PACKAGES = ("s2s-lab", "python", "torch", "lightning", "sacrebleu")


@dataclass(frozen=True)
class Reproduction:
    """One row's way back to its numbers.

    Attributes:
        label: The row.
        row_hash: Of its configuration without the seed.
        commands: That trained it, each once.
        runs: (seed, job hash, folder) of each run.
    """

    label: str
    row_hash: str
    commands: tuple[str, ...]
    runs: tuple[tuple[str, str, str], ...]


def provenance(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Give (heading, values) for the top of the page; several values where the runs differ."""
    runs = [run for row in comparison.rows for run in row.runs]
    if not runs:
        return []
    splits = [f"{split.split}, {split.sentences:,} sentences" for split in comparison.splits]
    seeds = in_order(str(run.seed) for run in runs)
    trained = f"{len(runs)} trainings, {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"
    facts = [
        ("Data", _each(_data(run) for run in runs)),
        ("Decoded", splits),
        ("Trained", [trained, *_dates(runs)]),
        ("Hardware", _each(_machine(run) for run in runs)),
        ("Software", _each(_software(run) for run in runs)),
        ("Code", _each(_commit(run) for run in runs)),
    ]
    return [(heading, values) for heading, values in facts if values]


def reproduction(comparison: Comparison) -> list[Reproduction]:
    """Give each row's commands, hashes and folders."""
    return [
        Reproduction(
            label=row.label,
            row_hash=row.key,
            commands=tuple(_each(_command(run) for run in row.runs)),
            runs=tuple((str(run.seed), str(run.facts.get("job_hash") or ""), run.folder.path.name) for run in row.runs),
        )
        for row in comparison.rows
    ]


def _each(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _data(run: Run) -> str:
    data: dict[str, Any] = run.facts.get("data") or {}
    text = str(data.get("name") or "")
    if data.get("source") and data.get("target"):
        text += f", {data['source']} → {data['target']}"
    pairs = (data.get("pairs") or {}).get("train")
    return f"{text}, {pairs:,} training pairs" if isinstance(pairs, int) else text


def _dates(runs: list[Run]) -> list[str]:
    days = sorted({str(run.facts.get("started") or "")[:10] for run in runs} - {""})
    if not days:
        return []
    return [days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"]


def _machine(run: Run) -> str:
    machine: dict[str, Any] = run.facts.get("machine") or {}
    devices = [device for device in machine.get("devices") or [] if device != "cpu"]
    parts = [machine.get("cpu"), f"{machine['cores']} cores" if machine.get("cores") else None]
    parts += [f"{machine['memory_gb']:g} GiB" if machine.get("memory_gb") else None, *devices]
    return ", ".join(str(part) for part in parts if part)


def _software(run: Run) -> str:
    versions: dict[str, Any] = run.facts.get("versions") or {}
    return ", ".join(f"{name} {versions[name]}" for name in SHOWN_PACKAGES if name in versions)


def _commit(run: Run) -> str:
    git: dict[str, Any] = run.facts.get("git") or {}
    if not git.get("commit"):
        return "no commit recorded"
    return f"commit {git['commit'][:12]}" + (" with uncommitted changes" if git.get("dirty") else "")


def _command(run: Run) -> str:
    command = run.facts.get("command") or (run.configuration.get("job") or {}).get("command") or ""
    return shlex.join(map(str, command)) if isinstance(command, list) else str(command)
