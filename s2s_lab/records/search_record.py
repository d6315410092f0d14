"""search.json beside the runs of a search for settings: its trials, the best ones, and what decided its objectives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import write_json
from s2s_lab.records.record import read_record
from s2s_lab.records.shape import Each, Exactly, Maybe

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


def write_search(experiment: Path, facts: Mapping[str, Any]) -> None:
    """Write the record of a search durably.

    Args:
        experiment: the folder of its runs.
        facts: what SHAPE says, `definition` of the search and `command` that trains the best trial again.
    """
    write_json(experiment / FILE, {"schema": SCHEMA, **facts})


def read_search(experiment: Path) -> dict[str, Any] | None:
    """Read the record of the search whose runs lie in a folder; None where there is none.

    Raises:
        RequestError: if it is damaged or newer than this version; one line.
    """
    path = experiment / FILE
    if not path.is_file():
        return None
    record = read_record(path, schema=SCHEMA, shape=SHAPE)
    for trial in record["trials"]:
        place, objectives = f"{path}: trial {trial['number']}", len(record["objectives"])
        values = trial.get("values")
        if values is not None and len(values) != objectives:
            raise RequestError(f"{place}: {len(values)} values, expected one for each of {objectives} objectives")
        if any(len(point) != 2 for point in trial["validations"]):
            raise RequestError(f"{place}: a validation is a step and a value")
    return record
