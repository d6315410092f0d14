"""The record of a search on the page: what its trials gave, in the words of search.json; damage is told in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.reports.trials import searches_in
from tests.reports.synthetic import HOSTILE


def trial(number: int, *values: float, outcome: str = "finished", lr: float = 0.1, **more: Any) -> dict[str, Any]:
    return {
        "number": number, "outcome": outcome, "values": list(values) or None, "params": {"optimizer.lr": lr},
        "words": [f"optimizer.lr={lr}"], "job_hash": "h", "run": "run", "reason": None, "same_as": None,
        "validations": [[10, 1.0 * number], [20, 2.0 * number]], **more,
    }  # fmt: skip


def record(*trials: dict[str, Any], objectives: int = 1, **more: Any) -> dict[str, Any]:
    kinds = [("bleu", True), ("parameters", False)][:objectives]
    return {
        "schema": 1, "definition": {},
        "objectives": [{"name": name, "higher_is_better": higher} for name, higher in kinds], "trials": list(trials),
        "best": [1], "importance": {"bleu": {"optimizer.lr": 0.75, HOSTILE: 0.25}}, "command": "s2s-train", **more,
    }  # fmt: skip


def hostile_record(objectives: int = 1) -> dict[str, Any]:
    """Every kind of trial, of two dimensions, one of which has a hostile name and hostile values."""
    of = (lambda value: (value, 5e6 / value)) if objectives == 2 else (lambda value: (value,))
    params = {"params": {"optimizer.lr": 0.01, HOSTILE: HOSTILE}, "words": [HOSTILE]}
    return record(
        trial(0, *of(20.0)), trial(1, *of(30.0), lr=0.001), trial(2, outcome="stopped", lr=0.3),
        trial(3, outcome="refused", validations=[]), trial(4, *of(25.0), **params), trial(5, *of(30.0), same_as=1),
        objectives=objectives,
    )  # fmt: skip


def written(folder: Path, content: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "search.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def test_a_search_is_told_as_it_is_recorded(tmp_path: Path) -> None:
    made = hostile_record()
    folder = written(tmp_path / "tuned", made)
    (found,) = searches_in([folder, folder, tmp_path])
    assert found["name"] == "tuned" and found["dimensions"] == ["optimizer.lr", HOSTILE]
    assert found["objectives"] == [{"name": "bleu", "title": "BLEU", "higher": True, "suffix": ""}]
    kept = [each for each in made["trials"] if each["same_as"] is None]
    assert len(found["trials"]) == len(kept) == 5, "a trial that repeats another one is none of its own"
    for shown, each in zip(found["trials"], kept, strict=True):
        assert shown["number"] == each["number"] + 1 and shown["outcome"] == each["outcome"]
        assert shown["values"] == each["values"]
        assert shown["params"] == [each["params"].get(name) for name in found["dimensions"]]
        assert list(zip(shown["steps"], shown["validations"], strict=True)) == [(s, v) for s, v in each["validations"]]
        assert shown["best"] == (each["number"] in made["best"])
    assert found["importance"] == [made["importance"]["bleu"]]


def test_shares_are_told_in_per_cent_and_what_is_beside_them_is_not(tmp_path: Path) -> None:
    made = record(trial(0, 0.25, 5e6), objectives=2)
    made["objectives"][0]["name"] = "exact_match"
    (found,) = searches_in([written(tmp_path, made)])
    assert [each["suffix"] for each in found["objectives"]] == [" %", ""]
    (shown,) = found["trials"]
    assert shown["values"] == [25.0, 5e6]
    assert shown["validations"] == [100 * value for _, value in made["trials"][0]["validations"]]


def test_a_value_that_was_not_finite_and_importance_that_is_not_known_are_none(tmp_path: Path) -> None:
    text = json.dumps(record(trial(0, 1.0, 2.0), objectives=2, importance={})).replace("[1.0, 2.0]", "[null, 2.0]")
    (found,) = searches_in([written(tmp_path, text)])
    assert found["trials"][0]["values"] == [None, 2.0] and found["importance"] == [None, None]


def test_where_nothing_was_searched_there_is_nothing(tmp_path: Path) -> None:
    assert searches_in([tmp_path]) == []


@pytest.mark.parametrize(
    "content",
    ["[]", "{", {"schema": 2}, {"schema": 1}, record({"number": "one"}), record(trial(0, 1.0, 2.0)),
     record(trial(0, 1.0, validations=[[1]])), record(trial(0, 1.0), best=None),
     record(trial(0, 1.0, params={"x": [1]}))],
    ids=str,
)  # fmt: skip
def test_a_damaged_record_is_one_line_that_names_it(tmp_path: Path, content: Any) -> None:
    written(tmp_path, content)
    with pytest.raises(RequestError, match=r"search\.json") as told:
        searches_in([tmp_path])
    assert "\n" not in str(told.value)
