"""Run folders are made once, updated as a whole, and refused when they cannot be read."""

import multiprocessing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import write_json
from s2s_lab.records.run_files import path_part
from s2s_lab.records.run_folder import SCHEMA, RunFolder, find_runs, run_name


def started(root: Path, name: str = "run") -> RunFolder:
    folder = RunFolder.create(root, name)
    folder.start({"name": "gru", "seed": 1})
    return folder


def _create(root: Path) -> str:
    return str(RunFolder.create(root, "same").path)


def _add_score(arguments: tuple[Path, int]) -> None:
    folder, number = arguments
    RunFolder(folder).update({"scores": {f"split{number}": {"bleu": number}}})


def test_no_two_jobs_share_a_folder(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.map(_create, [tmp_path] * 12, chunksize=1)
    assert len(set(made)) == 12
    assert all(Path(path).is_dir() for path in made)


def test_no_update_is_lost_when_two_processes_write(tmp_path: Path) -> None:
    folder = started(tmp_path)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_add_score, [(folder.path, number) for number in range(20)], chunksize=1)
    assert folder.read()["scores"] == {f"split{number}": {"bleu": number} for number in range(20)}


def test_a_run_goes_from_running_to_finished(tmp_path: Path) -> None:
    folder = started(tmp_path)
    first = folder.read()
    assert (first["schema"], first["status"], first["ended"]) == (SCHEMA, "running", None)
    last = folder.finish("finished", {"seconds": 1.5})
    assert last == folder.read()
    assert (last["status"], last["seconds"], last["name"]) == ("finished", 1.5, "gru")
    assert datetime.fromisoformat(last["started"]) <= datetime.fromisoformat(last["ended"])


def test_updates_merge_objects_and_replace_the_rest(tmp_path: Path) -> None:
    folder = started(tmp_path)
    folder.update({"best": {"value": 1, "step": 2}, "list": [1, 2]})
    assert folder.update({"best": {"value": 3}, "list": [4]})["best"] == {"value": 3, "step": 2}
    assert folder.read()["list"] == [4]


def test_an_unknown_status_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'done', expected one of running, finished"):
        started(tmp_path).finish("done")


def test_a_newer_or_missing_schema_is_refused(tmp_path: Path) -> None:
    folder = started(tmp_path)
    write_json(folder.run_file, {**folder.read(), "schema": SCHEMA + 1})
    with pytest.raises(RequestError, match=f"run.json: schema {SCHEMA + 1} is newer than this s2s_lab reads"):
        RunFolder.open(folder.path)
    write_json(folder.run_file, {})
    with pytest.raises(RequestError, match=r"run\.json: schema is None"):
        RunFolder.open(folder.path)


def test_what_is_no_run_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="nowhere: no such folder"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(RequestError, match=r"not a run folder \(run.json is missing\)"):
        RunFolder.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be made"):
        RunFolder.create(tmp_path / "file", "run")


def test_the_configuration_and_word_counts_are_read_back(tmp_path: Path) -> None:
    folder = started(tmp_path)
    configuration = {"b": {"rate": 1e-05, "none": None}, "a": ["1e-3", True, "ü", "yes"]}
    folder.write_configuration(configuration)
    assert folder.configuration() == configuration
    assert folder.word_counts() == {}
    folder.write_word_counts({"b": 1, "a": 1, "c": 9})
    assert list(folder.word_counts().items()) == [("c", 9), ("a", 1), ("b", 1)]


def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    folder = started(tmp_path)
    with pytest.raises(RequestError, match=r"config\.yaml: no such file"):
        folder.configuration()
    folder.configuration_file.write_text("a: 1\nb: [\n")
    with pytest.raises(RequestError, match=r"config\.yaml, line 3: not valid YAML"):
        folder.configuration()
    folder.configuration_file.write_text("- a\n")
    with pytest.raises(RequestError, match="expected a YAML mapping, found list"):
        folder.configuration()


def test_runs_are_found_once_at_any_depth(tmp_path: Path) -> None:
    first, second = started(tmp_path / "a" / "b", "one"), started(tmp_path / "a", "two")
    started(first.path / "inside", "not-looked-at")
    started(tmp_path / "a" / ".hidden", "not-looked-at")
    found = find_runs([second.path, tmp_path])
    assert [run.path for run in found] == [second.path, first.path]


def test_places_without_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="holds no run folder"):
        find_runs([tmp_path])
    with pytest.raises(RequestError, match="nowhere: no such folder"):
        find_runs([tmp_path / "nowhere"])


def test_names_are_safe_parts_of_paths_and_times_are_utc() -> None:
    assert path_part("../a b/ü") == "_a_b__"
    assert path_part("..") == "_"
    moment = datetime(2026, 11, 21, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))
    assert run_name("abc", moment) == "20261121-000203-abc"
    assert run_name("abc", moment.astimezone(UTC)) == run_name("abc", moment)
