"""Samplers: which spaces each can search, and that the recorded state of CMA-ES can run nothing."""

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.samplers import OF_A_CMA_STATE, check_sampler, read_cma_state
from s2s_lab.sweeps.search.settings import read_settings
from s2s_lab.sweeps.search.space import read_space
from tests.sweeps.search.fakes import World
from tests.sweeps.search.test_search import run, told

NUMBERS = ("lr=tag(log,interval(0.001,0.1))", "dropout=interval(0,0.5)", "layers=int(interval(1,4))")


def curve(chosen: dict[str, str]) -> list[float]:
    return [float(chosen["lr"]) - float(chosen["dropout"])]


def test_a_grid_needs_a_finite_space() -> None:
    grid = read_settings({"sampler": "grid"})
    check_sampler(grid, read_space(["a=1,2", "b=range(0,1,0.1)", "c=int(interval(1,3))"]))
    with pytest.raises(RequestError, match="lr has endless values"):
        check_sampler(grid, read_space(["a=1,2", "lr=interval(0,1)"]))


def test_cmaes_says_what_it_needs_or_goes_on_as_if_undisturbed(tmp_path: Path) -> None:
    """Where the package is not installed the search is refused before anything runs."""
    world = World(tmp_path / "a", curve)
    settings = {"trials": 16, "sampler": "cmaes", "startup_trials": 1}
    if importlib.util.find_spec("cmaes") is None:
        with pytest.raises(RequestError, match="needs the package cmaes: pip install"):
            run(world, NUMBERS, **settings)
        assert not world.runs
        return
    run(world, NUMBERS, **settings)
    journal = (tmp_path / "a" / "fake" / "search.journal").read_text()
    assert "cma:optimizer" in journal  # its state was recorded and read back
    stopped = World(tmp_path / "b", curve)
    run(stopped, NUMBERS, **{**settings, "trials": 11})
    run(stopped, NUMBERS, **settings)
    assert told(stopped) == told(world)


class Evil:
    """What a journal of somebody else may hold in the place of a state."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise CrashError",)


def test_a_recorded_state_can_run_nothing() -> None:
    with pytest.raises(RequestError, match=r"names builtins\.exec; it is not trusted"):
        read_cma_state(pickle.dumps(Evil()))
    with pytest.raises(RequestError, match="cannot be read"):
        read_cma_state(b"garbage")
    random = np.random.RandomState(3)
    state = {"mean": np.arange(3.0), "sigma": np.float64(0.3), "rng": random}
    found = read_cma_state(pickle.dumps(state))
    assert (found["mean"] == state["mean"]).all() and found["sigma"] == 0.3
    assert found["rng"].normal() == random.normal()


def test_all_that_is_trusted_of_a_state_is_numpys_or_cmaes() -> None:
    assert {module.partition(".")[0] for module, _ in OF_A_CMA_STATE} == {"numpy", "cmaes"}
