"""Bad trials are stopped early, good ones never, and what running trials show is judged in its order."""

from collections import Counter
from pathlib import Path

import pytest

from s2s_lab.faults import RequestError
from tests.sweeps.search.fakes import World, chosen_by
from tests.sweeps.search.test_search import run, told, trials_of


def crossing(chosen: dict[str, str]) -> list[float]:
    """Ten validations that rise in proportion to a number: curves of two jobs never cross."""
    return [float(chosen["number"]) * place for place in range(1, 11)]


@pytest.mark.parametrize("method", ["median", "hyperband", "successive_halving"])
def test_bad_trials_are_stopped_and_the_best_one_never(tmp_path: Path, method: str) -> None:
    world = World(tmp_path, crossing, jobs_at_once=2)
    pruning = {"method": method, "startup_trials": 3}
    found = run(world, ("number=range(1,25)",), trials=24, sampler="random", seed=5, pruning=pruning)
    outcomes = Counter(outcome for _, outcome, _ in told(world))
    assert outcomes["stopped"] >= 3 and outcomes["finished"] >= 3
    drawn = {float(chosen_by(words)["number"]): outcome for words, outcome, _ in told(world)}
    assert drawn[max(drawn)] == "finished"
    best = trials_of(world)[found.best[0]]
    assert float(chosen_by(best.user_attrs["words"])["number"]) == max(drawn)
    steps = sum(run.validations for run in world.runs.values())
    assert steps < 10 * len(world.runs)


def test_the_median_rule_is_the_median_rule(tmp_path: Path) -> None:
    """With jobs one after the other: stopped where the best so far is below the median of finished ones there."""
    numbers = [5, 3, 9, 4, 8, 1, 7]
    world = World(tmp_path, crossing)
    words = ("number=" + ",".join(map(str, numbers)),)
    run(world, words, trials=7, sampler="grid", pruning={"method": "median", "startup_trials": 2, "warmup_steps": 300})
    finished: list[int] = []
    for number, trial in zip(numbers, trials_of(world), strict=True):
        middle = sorted(finished)[len(finished) // 2] if len(finished) % 2 else sum(
            sorted(finished)[len(finished) // 2 - 1 : len(finished) // 2 + 1]
        ) / 2  # fmt: skip
        expected = "stopped" if len(finished) >= 2 and number < middle else "finished"
        assert trial.user_attrs["outcome"] == expected, number
        if expected == "finished":
            finished.append(number)
            assert len(trial.intermediate_values) == 10
        else:
            assert 300 <= trial.last_step <= 500  # the engine needs a moment to end a job
            assert trial.value == trial.intermediate_values[trial.last_step]


def test_without_pruning_every_trial_runs_to_its_end_with_its_validations_told(tmp_path: Path) -> None:
    world = World(tmp_path, crossing)
    run(world, ("number=range(1,7)",), trials=6, sampler="grid")
    assert all(len(trial.intermediate_values) == 10 for trial in trials_of(world))


def test_pruning_needs_the_monitored_score_as_the_only_objective(tmp_path: Path) -> None:
    world = World(tmp_path, crossing)
    with pytest.raises(RequestError, match="judged by exact_match, but parameters is searched for"):
        run(world, ("number=1,2",), pruning="median", objectives=["parameters"])
    with pytest.raises(RequestError, match="one objective alone"):
        run(world, ("number=1,2",), pruning="median", objectives=["exact_match", "parameters"])
    assert not world.runs


@pytest.mark.parametrize("method", ["hyperband", "successive_halving"])
def test_rungs_need_a_number_of_steps(tmp_path: Path, method: str) -> None:
    world = World(tmp_path, crossing, max_steps=-1)
    with pytest.raises(RequestError, match=r"shares out optimizer steps, but trainer\.max_steps is -1; give it, or"):
        run(world, ("number=1,2",), pruning={"method": method})
    assert not world.runs
    run(world, ("number=1,2",), trials=2, pruning={"method": "median"})
    assert len(world.runs) == 2
