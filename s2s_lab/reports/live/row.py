"""One line of the live table: what a run's record, curves and ledger say of it, as plain values that fit a page."""

import contextlib
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import parse_json
from s2s_lab.records.plain_yaml import parse_yaml
from s2s_lab.records.run_folder import STATUSES, RunFolder
from s2s_lab.reports.live.files import last_line, read_inside
from s2s_lab.reports.live.growing import GrowingCurves
from s2s_lab.reports.numbers import unit_of_curve

MOST_RECORD = 4 * 2**20
MOST_CONFIGURATION = 2**20
SECTIONS = ("trainer", "metrics", "job")
SECTION = re.compile(r"^(\w+):.*\n(?:(?:[ #-].*)?\n)*", re.MULTILINE)
"""A key of the first level with all that belongs to it."""


def read_record(folder: RunFolder, root: Path) -> dict[str, Any]:
    """Read run.json, whoever wrote it.

    Raises:
        RequestError: If it is missing, too large, outside the folder shown, or no JSON object.
    """
    text = read_inside(folder.run_file, root, most=MOST_RECORD).decode("utf-8", errors="replace")
    facts = parse_json(text, folder.run_file.name)
    if not isinstance(facts, dict):
        raise RequestError(f"{folder.run_file.name}: expected a JSON object, found {type(facts).__name__}")
    return facts


def read_settings(folder: RunFolder, root: Path) -> dict[str, Any]:
    """Read the sections of config.yaml that the table needs, which takes a tenth of the time of all of it.

    A section that cannot be read is left out.
    """
    try:
        content = read_inside(folder.configuration_file, root, most=MOST_CONFIGURATION)
    except (RequestError, OSError):
        return {}
    found = {}
    for block in SECTION.finditer(content.decode("utf-8", errors="replace") + "\n"):
        if block[1] in SECTIONS:
            with contextlib.suppress(RequestError):
                found |= parse_yaml(block[0], folder.configuration_file)
    return found


def row_of(
    folder: RunFolder,
    root: Path,
    facts: Mapping[str, Any],
    curves: GrowingCurves,
    *,
    settings: Mapping[str, Any],
    ended: tuple[str, str] | None,
) -> dict[str, Any]:
    """Give a run's line.

    Args:
        folder: The run folder.
        root: The folder shown, resolved.
        facts: run.json, unchecked.
        curves: metrics.csv as far as it was read.
        settings: config.yaml, unchecked; empty where it was not read.
        ended: How the ledger says that its job ended, and why.

    Returns:
        name, seed, status, note, step, total, score, percent, best, best_step, value, rate, seconds, limit, started,
        ended: text, finite numbers and None alone. Seconds are those of training; `limit` those it may take.
    """
    status, note = status_of(folder, root, facts, ended)
    best = section(facts, "best")
    score = text(best.get("metric")) or text("validation/" + str(section(settings, "metrics").get("monitor") or ""))
    step = larger(number(facts.get("steps")), curves.last("step"))
    minutes = number(section(settings, "trainer").get("max_minutes"))
    return {
        "name": text(facts.get("name")) or name_of(folder),
        "seed": text(facts.get("seed")),
        "group": text(facts.get("row_hash")) or text(facts.get("name")),
        "status": status,
        "note": note,
        "step": step,
        "total": step if status == "finished" else total_steps(facts, settings),
        "score": score.removeprefix("validation/"),
        "percent": unit_of_curve(score).factor == 100.0,
        "best": number(best.get("value")),
        "best_step": number(best.get("step")),
        "value": curves.last(score if score in curves.columns else f"validation/{score}"),
        "rate": rate_of(status, facts, curves),
        "seconds": larger(number(facts.get("seconds")), curves.last("seconds")),
        "limit": None if minutes is None else 60 * minutes,
        "started": text(facts.get("started")),
        "ended": text(facts.get("ended")),
    }


def name_of(folder: RunFolder) -> str:
    """Give the folder's name as text that can be sent: bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(folder.path.name).decode("utf-8", errors="replace")


def status_of(
    folder: RunFolder, root: Path, facts: Mapping[str, Any], ended: tuple[str, str] | None
) -> tuple[str, str]:
    """Tell how a run is, and why; where its process could not say it, the ledger does."""
    status = facts.get("status")
    if status not in STATUSES:
        return "unreadable", f"run.json: status is {text(status) or 'missing'}"
    if ended is not None and (status == "running" or (status, ended[0]) == ("interrupted", "stopped")):
        status = ended[0]
    if status in ("running", "finished"):
        return status, ""
    return status, last_line(folder.error_file, root) or (ended[1] if ended else "")


def rate_of(status: str, facts: Mapping[str, Any], curves: GrowingCurves) -> float | None:
    """Give tokens per second: the latest of a run that goes on, else the mean of the whole training."""
    latest, mean = curves.last("train/tokens_per_second"), number(facts.get("tokens_per_second"))
    first, second = (latest, mean) if status == "running" else (mean, latest)
    return second if first is None else first


def total_steps(facts: Mapping[str, Any], settings: Mapping[str, Any]) -> float | None:
    """Give the optimizer steps of the whole training; None where it is not known yet.

    It is in the record, or follows from the settings; epochs count once the record tells how many steps one has.
    """
    recorded = number(facts.get("total_steps"))
    if recorded is not None:
        return recorded
    trainer = section(settings, "trainer")
    steps, epochs = number(trainer.get("max_steps")), number(trainer.get("max_epochs"))
    limits = [steps] if steps is not None and steps > 0 else []
    if epochs is not None:
        done, in_steps = number(facts.get("epochs")), number(facts.get("steps"))
        if done and in_steps:
            limits.append(float(round(in_steps / done * epochs)))
        elif not limits:
            return None
    return min(limits, default=None)


def section(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Give an object within an object; empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def number(value: Any) -> float | None:
    """Give a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def larger(first: float | None, second: float | None) -> float | None:
    """Give the larger of two numbers that may be unknown."""
    known = [value for value in (first, second) if value is not None]
    return max(known, default=None)


def text(value: Any, most: int = 200) -> str:
    """Give a text or a number as text, cut to so many characters; empty for anything else."""
    if isinstance(value, str):
        return value[:most]
    return json.dumps(value)[:most] if isinstance(value, int | float) and not isinstance(value, bool) else ""
