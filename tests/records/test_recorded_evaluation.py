"""A run's record of an evaluation counts where it is what was asked for, and nothing else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.records.recorded_evaluation import OTHER_CORPUS, Asked, find_evaluation
from s2s_lab.records.run_folder import RunFolder
from tests.records.test_evaluation import written

SETTINGS = {"decoding": {"size": 5}, "precision": "float32", "shortlist": False, "replace_unknown": False,
            "constraint": {}, "metrics": {"scores": {"bleu": {"a": 1}, "ter": None}}, "batch_sentences": 8}  # fmt: skip
ASKED = Asked("definition", "test", "beam|size:5", SETTINGS, "beam|size:5")
SCORE = {"name": "bleu", "value": 1.0, "signature": "BLEU|nrefs:1", "higher_is_better": True}


def recorded(run: RunFolder, name: str, **facts: Any) -> Path:
    whole = {
        "split": "test", "strategy": "beam", "signature": "beam|size:5", "configuration": {"size": 5},
        "precision": "float32", "shortlist": None, "replace_unknown": False, "constraint": {}, "demands": {},
        "warnings": ["repetitions"], "scores": [SCORE], **facts,
    }  # fmt: skip
    return written(run.evaluations / "test" / name, facts=whole)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def test_it_is_found_among_others(run: RunFolder) -> None:
    recorded(run, "beam-1", signature="beam|size:6", configuration={"size": 6})
    recorded(run, "beam-2", split="validation")
    folder = recorded(run, "beam-3")
    found = find_evaluation(run, ASKED)
    assert found is not None and found.folder == folder


@pytest.mark.parametrize(
    "facts",
    [
        {"signature": "beam|size:6"},
        {"split": "validation"},
        {"configuration": {"size": 4}},
        {"precision": "bfloat16"},
        {"shortlist": {"ids": 100}},
        {"replace_unknown": True},
        {"constraint": {"no_repeat": {"n": 2}}},
        {"demands": {"prefixes_file": "of some file"}},
        {"warnings": [OTHER_CORPUS]},
        {"scores": [{**SCORE, "name": "chrf"}]},
    ],
)
def test_what_differs_in_one_thing_is_none(run: RunFolder, facts: dict[str, Any]) -> None:
    recorded(run, "beam-1", **facts)
    assert find_evaluation(run, ASKED) is None


def test_files_of_demands_count_by_what_they_hold(run: RunFolder) -> None:
    recorded(run, "beam-1", demands={"prefixes_file": "one"})
    recorded(run, "beam-2", demands={"prefixes_file": "another"})
    asked = replace(ASKED, demands={"prefixes_file": "another"})
    found = find_evaluation(run, asked)
    assert found is not None and found.folder.name == "beam-2"
    assert find_evaluation(run, replace(ASKED, demands={"prefixes_file": "a third"})) is None
