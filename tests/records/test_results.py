"""results.json: statistics come back as they were, entries find their place, damage is told in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from s2s_lab.faults import RequestError
from s2s_lab.records.packed_statistics import TYPES, pack, unpack
from s2s_lab.records.results import Results, Slot, merged, read_results, results_path, write_results
from s2s_lab.records.study_file import Study
from tests.records.test_study_file import GOOD, read

SIZES = st.tuples(st.integers(0, 6), st.integers(0, 4))
WHOLE = arrays.arrays(np.float64, SIZES, elements=st.integers(-(2**40), 2**40).map(float))
REAL = arrays.arrays(np.float64, SIZES, elements=st.floats(-1e300, 1e300))


@given(st.one_of(WHOLE, REAL))
def test_statistics_come_back_as_they_were(statistics: np.ndarray) -> None:
    packed = json.loads(json.dumps(pack(statistics)))
    assert np.array_equal(unpack(packed, "here"), statistics)


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 255], "uint8"), ([-1, 127], "int8"), ([256], "uint16"), ([-129], "int16"), ([70_000], "uint32"),
     ([-40_000], "int32"), ([2**33], "int64"), ([0.5], "float64"), ([1e300], "float64")],
)  # fmt: skip
def test_the_smallest_type_that_holds_them_is_taken(values: list[float], kind: str) -> None:
    assert pack(np.array([values], dtype=np.float64))["dtype"] == kind
    assert kind in TYPES


@pytest.mark.parametrize(
    "change",
    [{"dtype": "object"}, {"dtype": "float16"}, {"shape": [2, 3]}, {"shape": [2]}, {"shape": [-1, -2]}, {"data": "?"},
     {"shape": [2**40, 2**40]}, {"shape": [2**29, 8]}, {"data": "AAAA"}, {"data": 3}, {"shape": None}],
    ids=str,
)  # fmt: skip
def test_damaged_statistics_are_one_line(change: dict[str, Any]) -> None:
    packed = {**pack(np.array([[1.0, 2.0], [3.0, 4.0]])), **change}
    with pytest.raises(RequestError, match=r"^here") as told:
        unpack(packed, "here")
    assert "\n" not in str(told.value)


def test_a_bomb_is_not_decompressed() -> None:
    bomb = pack(np.zeros((1_000_000, 8)))
    with pytest.raises(RequestError, match="4 bytes are expected"):
        unpack({**bomb, "shape": [2, 2]}, "here")


def entry(key: str, *, definition: str = "d", started: str = "2026", evaluations: str = "g", **changes: Any) -> dict:
    found = {
        name: {"definition": f"of {name}", "split": "test", "signature": "s", "data_fingerprint": "f", "scores": []}
        for name in evaluations
    }
    return {"hash": key, "row": "old", "seed": 1, "definition": definition, "started": started,
            "evaluations": found, **changes}  # fmt: skip


def slot(row: str, key: str | None, *, definition: str = "d", evaluations: str = "g") -> Slot:
    return Slot(row, 1, definition, key, {name: f"of {name}" for name in evaluations})


def results(*jobs: dict, former: tuple[dict, ...] = ()) -> Results:
    return Results("paper", list(jobs), list(former))


def test_an_entry_belongs_by_its_hash_or_where_that_is_unknown_by_the_studys_words() -> None:
    assert slot("a", "h").holds(entry("h", definition="other")) and not slot("a", "h").holds(entry("x"))
    assert slot("a", None).holds(entry("x")) and not slot("a", None).holds(entry("x", definition="other"))
    assert slot("a", "h", evaluations="gb").complete(entry("h", evaluations="gbx"))
    assert not slot("a", "h", evaluations="gb").complete(entry("h", evaluations="g"))
    changed = entry("h")
    changed["evaluations"]["g"]["definition"] = "of another g"
    assert not slot("a", "h").complete(changed)
    known = Slot("a", 1, "d", "h", {"g": "of g"}, {"g": "s"})
    assert known.complete(entry("h"))
    assert not Slot("a", 1, "d", "h", {"g": "of g"}, {"g": "another decoding"}).complete(entry("h"))


def test_an_evaluation_that_the_study_means_no_more_is_kept_and_counts_no_more() -> None:
    wanted = Slot("a", 1, "d", "h", {"g": "of g", "b": "of b"}, {"g": "another decoding"})
    for _ in range(2):  # once more changes nothing
        jobs, _ = merged([wanted], results(entry("h", evaluations="gb")), [])
        assert set(jobs[0]["evaluations"]) == {"g", "b"} and wanted.measured(jobs[0]) == ["b"]
    assert set(merged([wanted], results(*jobs), [], drop=True)[0][0]["evaluations"]) == {"b"}


def test_entries_without_run_folders_stay_and_get_the_names_of_today() -> None:
    jobs, former = merged([slot("new", "h")], results(entry("h")), [])
    assert [(job["row"], job["label"]) for job in jobs] == [("new", "new seed 1")] and former == []


def test_rows_that_share_a_training_share_its_entry() -> None:
    jobs, _ = merged([slot("a", "h"), slot("b", "h")], results(entry("h")), [])
    assert [job["row"] for job in jobs] == ["a", "b"]


def test_the_entry_with_the_most_evaluations_wins_then_this_machines_then_the_last_one() -> None:
    wanted = [slot("a", "h", evaluations="gb")]
    full, bare = entry("h", evaluations="gb", started="1"), entry("h", started="2")
    assert merged(wanted, results(full), [bare])[0][0]["started"] == "1"
    assert merged(wanted, results(bare), [full])[0][0]["started"] == "1"
    assert merged(wanted, results(entry("h", started="3")), [bare])[0][0]["started"] == "2"
    assert merged(wanted, results(), [entry("h", started="3"), bare])[0][0]["started"] == "3"


def test_a_studys_own_training_comes_before_that_of_another_study_and_nothing_of_that_is_kept_besides() -> None:
    wanted, lent = [slot("a", "h")], [entry("h", started="9", measured_in="other"), entry("x", measured_in="other")]
    jobs, former = merged(wanted, results(entry("h", started="1")), [], lent)
    assert jobs[0]["started"] == "1" and former == []
    jobs, former = merged(wanted, results(), [], lent)
    assert jobs[0]["measured_in"] == "other" and former == []
    assert merged(wanted, results(*jobs), [entry("h", started="1")], lent)[0][0]["started"] == "1"


def test_what_was_recorded_of_the_same_run_is_not_lost() -> None:
    wanted = [slot("a", "h", evaluations="gb")]
    jobs, _ = merged(wanted, results(entry("h", evaluations="b")), [entry("h", evaluations="g")])
    assert set(jobs[0]["evaluations"]) == {"g", "b"}
    jobs, _ = merged(wanted, results(former=(entry("h", evaluations="b"),)), [entry("h", evaluations="g")])
    assert set(jobs[0]["evaluations"]) == {"g", "b"}
    jobs, _ = merged(wanted, results(entry("h", evaluations="b", started="1")), [entry("h", evaluations="g")])
    assert set(jobs[0]["evaluations"]) == {"g"}  # another run's scores are not mixed with it


def test_former_entries_are_kept_until_they_are_dropped_and_come_back() -> None:
    jobs, former = merged([slot("a", "h")], results(entry("x"), former=(entry("y"),)), [])
    assert jobs == [] and [each["hash"] for each in former] == ["x", "y"]
    jobs, former = merged([slot("a", "x")], results(former=tuple(former)), [])
    assert [each["hash"] for each in jobs] == ["x"] and [each["hash"] for each in former] == ["y"]
    assert merged([slot("a", "h")], results(entry("x")), [], drop=True) == ([], [])


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return read(tmp_path, GOOD)


def test_they_are_read_back_as_written_and_the_same_bytes_come_again(study: Study) -> None:
    assert read_results(study) == Results("paper")
    written = results(entry("h", seconds=1.5), former=(entry("x"),))
    write_results(study, written)
    before = results_path(study).read_bytes()
    assert read_results(study) == written
    write_results(study, read_results(study))
    assert results_path(study).read_bytes() == before


def damaged() -> list[Any]:
    good = {"schema": 1, "study": "paper", "jobs": [entry("h")], "former": [], "claims": []}
    evaluation = {**good["jobs"][0]["evaluations"]["g"]}
    return [
        3, {}, {**good, "schema": "1"}, {**good, "schema": 2}, {**good, "study": "other"}, {**good, "jobs": {}},
        {**good, "jobs": [3]}, {**good, "jobs": [{**entry("h"), "seed": "one"}]}, {**good, "former": [{}]},
        {**good, "jobs": [{**entry("h"), "evaluations": {"g": 3}}]}, {**good, "claims": [{"claim": 1}]},
        {**good, "jobs": [{**entry("h"), "evaluations": {"g": {**evaluation, "scores": [{"name": "bleu"}]}}}]},
        {**good, "jobs": [{**entry("h"), "evaluations": {"g": {**evaluation, "statistics": {"bleu": 3}}}}]},
        {**good, "jobs": [{**entry("h"), "versions": {"torch": 2}}]},
        {**good, "jobs": [{**entry("h"), "seconds": "1"}]},
        {**good, "claims": [{"claim": "a", "verdict": "surely", "ours": "1"}]},
    ]  # fmt: skip


@pytest.mark.parametrize("value", damaged(), ids=range(len(damaged())))
def test_a_file_of_another_shape_is_one_line(value: Any, study: Study) -> None:
    results_path(study).write_text(json.dumps(value))
    with pytest.raises(RequestError) as told:
        read_results(study)
    assert str(told.value).startswith(str(results_path(study))) and "\n" not in str(told.value)
