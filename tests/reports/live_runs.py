"""Runs that go on, as a job leaves them in the middle of its training, a sweep's ledger beside them, and a reader."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.live.answers import Answers
from s2s_lab.reports.live.watch import Watch
from tests.reports.synthetic import configuration

HEADER = "epoch,step,seconds,train/loss,train/tokens_per_second,validation/loss,validation/bleu\n"


def start_run(
    root: Path, model: str, seed: int, *, steps: int = 0, settings: Mapping[str, Any] | None = None, total: int = 1
) -> RunFolder:
    """Write a run that has done so many optimizer steps."""
    values = configuration(model, seed, job={"sweep": {"position": seed, "total": total}}, **(settings or {}))
    folder = RunFolder.create(root, f"20261121-01{seed:04d}-{model}")
    folder.write_configuration(values)
    folder.start({"name": model, "experiment": root.name, "seed": seed, "row_hash": f"row-{model}"})
    folder.log_file.write_text(f"data ready\n{model} begins\n", encoding="utf-8")
    if steps:
        folder.metrics_csv.write_text(HEADER, encoding="utf-8")
        go_on(folder, 0, steps)
    return folder


def go_on(folder: RunFolder, before: int, after: int, *, score: float | None = None) -> None:
    """Append rows up to a step as a training does: every 50 steps a loss, every 100 a validation."""
    with folder.metrics_csv.open("a", encoding="utf-8") as file:
        for step in range(before + 50, after + 1, 50):
            loss = 4 * 0.998**step
            file.write(f"0,{step},{step * 0.06:.2f},{loss:.4f},{20_000 + step},,\n")
            if step % 100 == 0:
                value = 30 - 9 * loss if score is None else score
                file.write(f"0,{step},{step * 0.06:.2f},,,{loss + 0.2:.4f},{value:.4f}\n")
                best = {"metric": "validation/bleu", "value": value, "step": step}
                folder.update({"steps": step, "seconds": step * 0.06, "tokens_per_second": 20_000.0, "best": best})


def write_ledger(root: Path, *events: Mapping[str, Any]) -> None:
    """Append lines to the experiment's ledger."""
    with (root / "ledger.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


class Reader:
    """Follows a folder as the page does."""

    def __init__(self, root: Path) -> None:
        self.answers = Answers(Watch(root))
        self.version = ""
        self.rows: dict[str, dict] = {}
        self.counts: dict[str, dict] = {}

    def poll(self) -> dict:
        found = self.answers.runs(self.version)
        self.version = found["version"]
        names = {item["key"]: item["name"] for item in found["experiments"]}
        for key in found["gone"]:
            self.rows.pop(key, None)
        self.rows |= {row["key"]: row for row in found["runs"]}
        self.counts |= {names[item["key"]]: item["counts"] for item in found["experiments"]}
        return found

    def row(self, name: str) -> dict:
        (found,) = [row for row in self.rows.values() if row["name"] == name]
        return found


def appended(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
