"""Runs are grouped by everything but the seed, labelled apart, and none is hidden."""

from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import write_json
from s2s_lab.reports.runs import collect, short
from tests.reports.synthetic import sentences, write_run

MADE = sentences(3)


def test_rows_differ_in_more_than_the_seed(runs: Path) -> None:
    rows = collect([runs]).rows
    assert {row.label: row.seeds for row in rows} == {"lstm": [1, 2], "gru": [1, 2], "gru_attention": [1, 2]}
    assert next(row for row in rows if row.label == "lstm").under_trained
    assert next(row for row in rows if row.label == "gru").under_trained is None


def test_failed_and_stopped_runs_are_listed_with_their_reason(runs: Path) -> None:
    leftovers = collect([runs]).leftovers
    assert {(item.run.name, item.run.seed): item.reason for item in leftovers} == {
        ("rnn", 1): "failed: ValueError: <b>loss</b> is NaN",
        ("rnn", 2): "interrupted",
    }


def test_equal_names_are_told_apart_by_the_differing_keys(tmp_path: Path) -> None:
    write_run(tmp_path, "gru", 1, made=MADE)
    write_run(tmp_path, "gru", 1, made=MADE, settings={"encoder": {"hidden_size": 256}})
    found = collect([tmp_path])
    assert {row.label for row in found.rows} == {"gru (hidden_size=128)", "gru (hidden_size=256)"}
    assert list(found.differences) == ["encoder.hidden_size"]
    assert sorted(found.differences["encoder.hidden_size"]) == [128, 256]


def test_a_seed_that_was_run_twice_counts_once(tmp_path: Path) -> None:
    older = write_run(tmp_path, "gru", 1, made=MADE)
    newer = write_run(tmp_path, "gru", 1, made=MADE)
    newer.update({"started": "2026-11-22T00:00:00+00:00"})
    found = collect([tmp_path])
    assert [run.folder.path for run in found.rows[0].runs] == [newer.path]
    assert [item.run.folder.path for item in found.leftovers] == [older.path]
    assert "run again" in found.leftovers[0].reason


def test_a_run_that_failed_before_it_knew_its_name_is_listed(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "gru", 1, made=MADE, status="failed")
    write_json(folder.run_file, {"schema": 1, "status": "failed"})
    assert collect([folder.path]).leftovers[0].run.name == "gru"
    folder.configuration_file.unlink()
    assert collect([folder.path]).leftovers[0].run.name == folder.path.name


def test_an_unknown_status_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "gru", 1, made=MADE, status="failed")
    write_json(folder.run_file, {"schema": 1, "status": "resting"})
    with pytest.raises(RequestError, match="status is 'resting'"):
        collect([folder.path])


def test_a_configuration_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "gru", 1, made=sentences(6))
    folder.write_configuration({**folder.configuration(), "metrics": "bleu"})
    with pytest.raises(RequestError, match=r"config\.yaml: metrics is 'bleu', expected an object"):
        collect([tmp_path])


@pytest.mark.parametrize(
    "facts",
    [{"machine": 3}, {"seconds": "long"}, {"git": {"commit": 7}}, {"under_trained": []}, {"versions": {"torch": 2}}],
)
def test_facts_of_another_kind_are_refused(tmp_path: Path, facts: dict) -> None:
    folder = write_run(tmp_path, "gru", 1, made=sentences(6))
    folder.update(facts)
    with pytest.raises(RequestError, match=r"run\.json: .* expected"):
        collect([tmp_path])


def test_values_are_written_briefly() -> None:
    assert [short(value) for value in ("s2s_lab.models.cells.gru.GRUCell", "a.b c", None, True, 0.1)] == [
        "GRUCell", "a.b c", "null", "true", "0.1",
    ]  # fmt: skip
