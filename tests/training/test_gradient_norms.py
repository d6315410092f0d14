"""callbacks=gradient_norms: norms of the network's parts, and callbacks of one's own."""

import csv
import math
from pathlib import Path

import pytest

from s2s_lab.assemble.callbacks import more_callbacks
from s2s_lab.assemble.configuration import with_later_keys, without_later_keys
from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import RunFolder
from tests.assemble.test_experiment import curve, frozen, run

PREFIX = "train/gradient_norm/"


def rows(made: RunFolder) -> list[dict[str, str]]:
    with made.metrics_csv.open() as file:
        return [row for row in csv.DictReader(file) if row.get("train/gradient_norm")]


@pytest.mark.parametrize(
    "words", [["model=gru_attention"], ["model=transformer"], ["model=gru_attention", "trainer.accumulate=2"]]
)
def test_squares_of_the_parts_sum_to_the_whole_s(tmp_path: Path, words: list[str]) -> None:
    words = [*words, "callbacks=gradient_norms", "callbacks.progress=false", "trainer.gradient_clip=0.01"]
    found = rows(run(tmp_path, *words))
    assert len(found) == 4
    for row in found:
        parts = {key.removeprefix(PREFIX): float(value) for key, value in row.items() if key.startswith(PREFIX)}
        assert {"encoder", "decoder", "output", "attention"} <= set(parts)
        whole = math.sqrt(sum(value**2 for value in parts.values()))
        assert whole == pytest.approx(float(row["train/gradient_norm"]), rel=1e-4)
        assert min(parts.values()) > 0


def test_they_are_logged_when_the_other_curves_are_and_change_nothing(tmp_path: Path) -> None:
    words = ["model=gru", "trainer.log_every=2"]
    plain, told = run(tmp_path / "plain", *words), run(tmp_path / "told", *words, "callbacks=gradient_norms")
    assert [row["step"] for row in rows(told)] == ["2", "4"]
    assert curve(told, "train/loss") == curve(plain, "train/loss")
    assert (told.model / "model.safetensors").read_bytes() == (plain.model / "model.safetensors").read_bytes()


def test_nothing_more_is_the_job_it_was_before_there_was_more(tmp_path: Path) -> None:
    quiet = frozen(tmp_path / "a", "model=gru")
    empty = frozen(tmp_path / "b", "model=gru", "callbacks.more={}")
    more = frozen(tmp_path / "c", "model=gru", "callbacks=gradient_norms", "callbacks.examples=0",
                  "callbacks.attention_pictures=0")  # fmt: skip
    assert quiet.read()["job_hash"] == empty.read()["job_hash"] != more.read()["job_hash"]
    settings = quiet.configuration()
    without = without_later_keys(settings)["callbacks"]
    assert without == {key: value for key, value in settings["callbacks"].items() if key != "more"}
    assert with_later_keys({**settings, "callbacks": without})["callbacks"] == settings["callbacks"]


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("{_target_: s2s_lab.training.callbacks.boundary.Boundary}", "datamodule"),
        ("{_target_: s2s_lab.training.callbacks.boundary.Meanwhile}", "has no 'Meanwhile'"),
        ("{_target_: s2s_lab.training.objectives.cross_entropy.CrossEntropy}", "only s2s_lab.training.callbacks"),
        ("{_target_: lightning.pytorch.callbacks.timer.Timer}", "only s2s_lab.training.callbacks"),
        ("{_target_: s2s_lab.training.callbacks.gradient_norms.GradientNorms, every: 3}", "unknown key"),
        ("3", "a section with a _target_ is expected"),
    ],
)
def test_what_is_no_callback_is_refused(tmp_path: Path, node: str, told: str) -> None:
    with pytest.raises(RequestError, match=r"callbacks\.more\.own") as raised:
        frozen(tmp_path, f"+callbacks.more.own={node}")
    assert told in str(raised.value) and "\n" not in str(raised.value)


def test_a_null_is_none() -> None:
    assert more_callbacks({"callbacks": {"more": {"own": None}}}) == []
