"""The trials of a search for settings on the page: what each gave, how the best one came about, and what decided it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_json
from s2s_lab.records.run_folder import check_schema
from s2s_lab.records.shape import Each, Exactly, Maybe, check_shape
from s2s_lab.reports.numbers import title_of

FILE = "search.json"
SCHEMA = 1
NUMBER = (int, float)
MEASURED = (*NUMBER, type(None))
"""A number, or null in place of one that is not finite."""
SHAPE = Exactly(
    objectives=[Exactly(name=str, higher_is_better=bool)],
    trials=[
        Exactly(
            number=int,
            validations=[[MEASURED]],
            others=Maybe(outcome=str, values=[MEASURED], params=Each((str, bool, *MEASURED)), words=[str],
                         reason=str, same_as=int),
        )
    ],
    best=[int],
    importance=Each(Each(NUMBER)),
)  # fmt: skip


def searches_in(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Give the searches whose runs lie in some folders, as the page draws them.

    Args:
        folders: of experiments.

    Returns:
        For each search, by the name of its experiment: `name`, `objectives` (name, title, higher), `trials`,
        `dimensions` (names of what was searched) and `importance` (for each objective shares by dimension, or None). A
        trial has its `number` from 1, `outcome`, `values` by objective (None without), `params` by dimension (None
        where its space has not got it), `words`, `validations` as steps and values, and whether it is among the `best`.

    Raises:
        RequestError: if a search's record is damaged or newer than this version; one line.
    """
    return [_search(folder / FILE) for folder in sorted(set(folders)) if (folder / FILE).is_file()]


def _search(path: Path) -> dict[str, Any]:
    record = read_json(path)
    if not isinstance(record, dict):
        raise RequestError(f"{path}: expected a JSON object, found {type(record).__name__}")
    check_schema(record, path, SCHEMA)
    check_shape(record, SHAPE, str(path))
    objectives = record["objectives"]
    trials = [trial for trial in record["trials"] if trial.get("same_as") is None]
    dimensions = list(dict.fromkeys(name for trial in trials for name in trial.get("params") or {}))
    return {
        "name": path.parent.name,
        "objectives": [
            {"name": each["name"], "title": title_of(each["name"]), "higher": each["higher_is_better"]}
            for each in objectives
        ],
        "trials": [_trial(trial, dimensions, len(objectives), set(record["best"]), path) for trial in trials],
        "dimensions": dimensions,
        "importance": [record["importance"].get(each["name"]) or None for each in objectives],
    }


def _trial(
    trial: Mapping[str, Any], dimensions: list[str], objectives: int, best: set[int], path: Path
) -> dict[str, Any]:
    place = f"{path}: trial {trial['number']}"
    values = trial.get("values")
    if values is not None and len(values) != objectives:
        raise RequestError(f"{place}: {len(values)} values, expected one for each of {objectives} objectives")
    if any(len(point) != 2 for point in trial["validations"]):
        raise RequestError(f"{place}: a validation is a step and a value")
    params = trial.get("params") or {}
    return {
        "number": trial["number"] + 1,
        "outcome": trial.get("outcome"),
        "values": values,
        "params": [params.get(name) for name in dimensions],
        "words": " ".join(trial.get("words") or []),
        "steps": [step for step, _ in trial["validations"]],
        "validations": [value for _, value in trial["validations"]],
        "best": trial["number"] in best,
    }
