"""The trials of a search for settings on the page: what each gave, how the best one came about, and what decided it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from s2s_lab.records.search_record import read_search
from s2s_lab.reports.numbers import title_of, unit_of


def searches_in(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Give the searches whose runs lie in some folders, as the page draws them.

    Args:
        folders: of experiments.

    Returns:
        For each search, by the name of its experiment: `name`, `objectives` (name, title, higher, suffix), `trials`,
        `dimensions` (names of what was searched) and `importance` (for each objective shares by dimension, or None). A
        trial has its `number` from 1, `outcome`, `values` by objective (None without), `params` by dimension (None
        where its space has not got it), `words`, `validations` as steps and values, and whether it is among the `best`.
        Values and validations are in the unit that the objective's suffix says.

    Raises:
        RequestError: if a search's record is damaged or newer than this version; one line.
    """
    folders = sorted(set(folders))
    return [_search(folder.name, record) for folder in folders if (record := read_search(folder)) is not None]


def _search(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    objectives = record["objectives"]
    factors = [unit_of(each["name"]).factor for each in objectives]
    trials = [trial for trial in record["trials"] if trial.get("same_as") is None]
    dimensions = list(dict.fromkeys(name for trial in trials for name in trial.get("params") or {}))
    return {
        "name": name,
        "objectives": [
            {
                "name": each["name"],
                "title": title_of(each["name"]),
                "higher": each["higher_is_better"],
                "suffix": unit_of(each["name"]).suffix,
            }
            for each in objectives
        ],
        "trials": [_trial(trial, dimensions, set(record["best"]), factors) for trial in trials],
        "dimensions": dimensions,
        "importance": [record["importance"].get(each["name"]) or None for each in objectives],
    }


def _trial(trial: Mapping[str, Any], dimensions: list[str], best: set[int], factors: list[float]) -> dict[str, Any]:
    params, values = trial.get("params") or {}, trial.get("values")
    return {
        "number": trial["number"] + 1,
        "outcome": trial.get("outcome"),
        "values": values and [_scaled(value, factor) for value, factor in zip(values, factors, strict=True)],
        "params": [params.get(name) for name in dimensions],
        "words": " ".join(trial.get("words") or []),
        "steps": [step for step, _ in trial["validations"]],
        "validations": [_scaled(value, factors[0]) for _, value in trial["validations"]],
        "best": trial["number"] in best,
    }


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
