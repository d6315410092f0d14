"""Losses after equal steps: which trainings are made, what is read of them, and what is compared with what."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.speed import product
from experiments.speed.child import frozen, settings_of
from experiments.speed.product import Bench
from experiments.speed.quality import REFERENCE, last_validation, measure_quality
from experiments.speed.workloads import Workload
from s2s_lab.assemble.experiment import train
from s2s_lab.faults import RunError
from s2s_lab.records.run_folder import RunFolder, find_runs
from tests.experiments.conftest import TINY


@pytest.fixture
def tiny(bench: Bench) -> Workload:
    return Workload("tiny", "a tiny network", (*bench.plan.workloads["M1"].words, *TINY))


def test_each_training_is_made_once_and_compared_with_the_reference_of_its_seed(
    bench: Bench, tiny: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, str, str]] = []

    def in_this_process(name: str, words: Sequence[str]) -> None:
        settings = settings_of(words)
        limits = settings["trainer"]
        assert (name, limits["max_steps"], limits["validate_every"]) == ("train", 3, 3)
        made.append((settings["seed"], limits["precision"], limits["matmul_precision"]))
        train(frozen([*words, "trainer.log_every=1"]))

    monkeypatch.setattr(product, "run", in_this_process)
    settings = bench.plan.chosen_settings(["bfloat16"])
    rows = measure_quality(bench, [tiny], settings, seeds=2, steps=3)
    expected = [
        (seed, *arithmetic) for arithmetic in (("32-true", "highest"), ("bf16-mixed", "medium")) for seed in (1, 2)
    ]
    assert made == expected
    assert [row["setting"] for row in rows] == [REFERENCE, "bfloat16"]
    reference, other = rows
    assert set(reference["differences"].values()) == {0.0} and reference["difference"] == 0.0
    for seed in ("1", "2"):
        assert other["losses"][seed] == pytest.approx(reference["losses"][seed] * (1 + other["differences"][seed]))
        assert other["tokens"][seed] == reference["tokens"][seed] > 0
    assert other["loss"] == pytest.approx(sum(other["losses"].values()) / 2)
    assert reference["losses"]["1"] != reference["losses"]["2"]
    assert measure_quality(bench, [tiny], settings, seeds=2, steps=3) == rows
    assert made == expected, "finished trainings were run again"
    runs = [run for place in bench.scratch.glob("quality-tiny-*") for run in find_runs([place])]
    assert len(runs) == len(expected)
    for run in runs:
        assert not run.checkpoints.exists(), "gigabytes that nothing reads"
        with pytest.raises(RunError, match="no validation loss at step 4 after 3 steps"):
            last_validation(run, 4)
    measure_quality(bench, [tiny], {}, seeds=1, steps=3)
    assert made == expected
    measure_quality(bench, [tiny], {}, seeds=1, steps=3, fresh=True)
    assert made == [*expected, expected[0]]


def test_a_training_that_did_not_finish_is_run_again(
    bench: Bench, tiny: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunFolder] = []

    def left(_: str, words: Sequence[str]) -> None:
        started.append(frozen(words))

    monkeypatch.setattr(product, "run", left)
    given: dict[str, Any] = {"about": "a training", "fresh": False}
    for _ in range(2):
        product.finished_run(bench, "half", bench.words(tiny), 3, **given)
    assert len(started) == 2
    started[-1].finish("finished")
    assert product.finished_run(bench, "half", bench.words(tiny), 3, **given).path == started[-1].path
    assert len(started) == 2
