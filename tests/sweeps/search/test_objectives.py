"""Objectives: what a run is told by, fronts equal to brute force, and requests that make no sense."""

import random
from pathlib import Path
from typing import Any

import optuna
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.objectives import Objective, front, read_objectives
from s2s_lab.sweeps.search.settings import Wanted
from s2s_lab.sweeps.search.summary import importances
from tests.sweeps.search.fakes import World, chosen_by
from tests.sweeps.search.test_search import run, told, trials_of


def trade(chosen: dict[str, str]) -> list[float]:
    return [float(chosen["x"]) * 10 - float(chosen["y"])]


def cost(chosen: dict[str, str]) -> dict[str, Any]:
    return {"parameters": int(float(chosen["x"]) * 2 + float(chosen["y"]) ** 2)}


@pytest.mark.parametrize("sampler", ["nsgaii", "tpe", "grid"])
def test_two_objectives_give_the_front_of_brute_force(tmp_path: Path, sampler: str) -> None:
    world = World(tmp_path, trade, facts=cost, jobs_at_once=2)
    words = ("x=range(0,5)", "y=range(0,4)")
    found = run(world, words, trials=25, sampler=sampler, startup_trials=6, objectives=["exact_match", "parameters"])
    points = {trial.number: tuple(trial.values) for trial in trials_of(world) if trial.values}
    best = {
        point
        for point in points.values()
        if not any(
            other[0] >= point[0] and other[1] <= point[1] and other != point for other in points.values()
        )
    }  # fmt: skip
    assert {points[number] for number in found.best} == best
    assert len(best) > 1
    if sampler == "grid":
        every = {
            (trade({"x": x, "y": y})[0], float(cost({"x": x, "y": y})["parameters"])) for x in "01234" for y in "0123"
        }
        assert set(points.values()) == every


def test_fronts_of_random_points_equal_brute_force() -> None:
    chance = random.Random(0)
    objectives = (Objective("a", True, True), Objective("b", False, False), Objective("c", True, False))
    for count in (1, 2, 7, 40):
        points = [[float(chance.randint(0, 5)) for _ in objectives] for _ in range(count)]
        expected = []
        for position, point in enumerate(points):
            beaten = False
            for other in points:
                as_good = other[0] >= point[0] and other[1] <= point[1] and other[2] >= point[2]
                beaten |= as_good and other != point
            if not beaten:
                expected.append(position)
        assert front(points, objectives) == expected


def test_the_default_is_the_monitored_score_in_its_direction(tmp_path: Path) -> None:
    (higher,) = read_objectives((), "bleu", True)
    (lower,) = read_objectives((), "loss", False)
    assert (higher.name, higher.direction, lower.name, lower.direction) == ("bleu", "maximize", "loss", "minimize")
    (turned,) = read_objectives((Wanted("bleu", "minimize"),), "bleu", True)
    assert turned.direction == "minimize"


def test_a_value_is_read_from_the_record_of_the_run() -> None:
    facts = {"best": {"metric": "bleu", "value": 31.5, "step": 400}, "parameters": 1200, "seconds": None}
    values = {name: read_objectives((Wanted(name),), "bleu", True)[0] for name in ("bleu", "best.step", "parameters")}
    assert {name: objective.value(facts) for name, objective in values.items()} == {
        "bleu": 31.5,
        "best.step": 400.0,
        "parameters": 1200.0,
    }
    (seconds,) = read_objectives((Wanted("seconds"),), "bleu", True)
    for broken in (facts, {}, {"seconds": True}, {"seconds": float("nan")}):
        with pytest.raises(RequestError, match="has no number seconds"):
            seconds.value(broken)
    (loss,) = read_objectives((), "loss", False)
    with pytest.raises(RequestError, match="has no number loss"):
        loss.value(facts)  # its best value is one of another score


def test_an_unknown_score_is_refused_before_anything_runs(tmp_path: Path) -> None:
    world = World(tmp_path, trade)
    for score, hint in {"paramters": "did you mean parameters", "zzz": "one of best.step"}.items():
        with pytest.raises(RequestError, match=hint):
            run(world, ("x=1,2", "y=1"), objectives=[score])
    with pytest.raises(RequestError, match="exact_match is named twice"):
        run(world, ("x=1,2", "y=1"), objectives=[{"direction": "maximize"}, "exact_match"])
    assert not world.runs


def test_a_run_without_the_number_is_told_as_failed(tmp_path: Path) -> None:
    world = World(tmp_path, trade, facts=lambda chosen: cost(chosen) if chosen["x"] == "1" else {})
    run(world, ("x=1,2", "y=1"), trials=2, sampler="grid", objectives=["parameters"])
    outcomes = {chosen_by(words)["x"]: outcome for words, outcome, _ in told(world)}
    assert outcomes == {"1": "finished", "2": "failed"}


@pytest.mark.parametrize("maximize", [True, False])
def test_importance_is_highest_of_what_decides(maximize: bool) -> None:
    objective = Objective("score", maximize, True)
    study = optuna.create_study(direction=objective.direction, sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(60):
        trial = study.ask()
        decides, idle = trial.suggest_float("decides", 0, 1), trial.suggest_float("idle", 0, 1)
        study.tell(trial, decides * 10 + idle * 0.01)
    shares = importances(study, (objective,))["score"]
    assert shares["decides"] > shares["idle"] and sum(shares.values()) == pytest.approx(1.0)
