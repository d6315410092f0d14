"""What the lab must reach on SCAN's random split, from the commands alone."""

import json

import pytest

from tests.end_to_end.conftest import Commands


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "gru_attention"])
def test_scan_is_solved_within_ten_minutes_of_training(commands: Commands, model: str) -> None:
    commands("train", "experiment=scan", f"model={model}", "logger=csv", seconds=1200)
    (run,) = commands.folder.glob("outputs/scan/*/")
    assert json.loads((run / "run.json").read_text())["seconds"] < 600
    commands("evaluate", f"runs=[{run}]", "decoding=greedy")
    (scores,) = run.glob("evaluation/test/greedy-*/scores.json")
    values = {score["name"]: score["value"] for score in json.loads(scores.read_text())["scores"]}
    assert values["exact_match"] >= 0.99
