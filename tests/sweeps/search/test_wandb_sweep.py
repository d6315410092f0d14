"""W&B sweeps: the configuration is what W&B's own code makes of it, and suggestions run as jobs."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from wandb.apis.public.sweeps import _validate_config_and_fill_distribution
from wandb.sdk.sweeps.scheduler.optuna import sweep_parameter_to_distribution

from s2s_lab.faults import RequestError, RunError
from s2s_lab.sweeps.search.dimensions import Choice
from s2s_lab.sweeps.search.objectives import Objective
from s2s_lab.sweeps.search.space import read_space
from s2s_lab.sweeps.search.wandb_space import drawn_from, parameter, sweep_configuration, typed
from s2s_lab.sweeps.search.wandb_sweep import FILE, WandbSettings, read_wandb_settings, wandb_sweep
from tests.sweeps.search.fakes import World
from tests.sweeps.search.test_space import drawn_at_random

SHIPPED = Path(__file__).resolve().parents[3] / "conf" / "hydra" / "sweeper" / "wandb.yaml"
WORDS = ("model=lstm,gru", "lr=tag(log,interval(0.001,0.1))", "dropout=range(0,0.5,0.1)", "seed=3")
SPACES = {"model=gru": {"layers": "int(interval(1,4))"}}
SCORE = Objective("exact_match", True, True)


def curve(chosen: dict[str, str]) -> list[float]:
    return [float(chosen["lr"]) / 2, float(chosen["lr"])]


class FakeRun:
    """W&B's run of one suggestion."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.summary: dict[str, Any] = {}
        self.logged: list[dict[str, Any]] = []
        self.log = self.logged.append


class FakeWandb:
    """The module wandb with a server that suggests what it is given, and an agent as W&B's: a fault ends one run."""

    def __init__(self, suggestions: list[dict[str, Any]]) -> None:
        self.suggestions = suggestions
        self.registered: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.joined: list[str] = []
        self.runs: list[FakeRun] = []
        self.faults: list[Exception] = []
        self.Settings = SimpleNamespace

    def sweep(self, configuration: dict[str, Any], **place: Any) -> str:
        self.registered.append((configuration, place))
        return "abc123"

    def agent(self, sweep_id: str, function: Any, **options: Any) -> None:
        self.joined.append(sweep_id)
        for number in range(len(self.suggestions)):
            os.environ["WANDB_RUN_ID"] = f"run{number}"
            try:
                function()
            except Exception as error:
                self.faults.append(error)
            finally:
                os.environ.pop("WANDB_RUN_ID", None)

    @contextmanager
    def init(self, settings: Any) -> Any:
        assert os.environ["WANDB_RUN_ID"] == f"run{len(self.runs)}"
        self.runs.append(FakeRun(self.suggestions[len(self.runs)]))
        yield self.runs[-1]


def run(world: World, said: list[str] | None = None, words: tuple[str, ...] = WORDS, **settings: Any) -> Any:
    say = (said if said is not None else []).append
    arguments = {"higher_is_better": lambda settings: True, "progress_of": world.progress_of, "say": say}
    return wandb_sweep(world.prepare, world.open_engine, words, WandbSettings(spaces=SPACES, **settings), **arguments)


@pytest.mark.parametrize(
    "word",
    [
        "a=interval(0,1)",
        "a=tag(log,interval(0.001,0.1))",
        "a=int(interval(1,9))",
        "a=range(1,9)",
        "a=range(0,10,2)",
        "a=range(0,0.5,0.1)",
        "a=tag(log,int,interval(1,100))",
        "a=choice(x,y)",
    ],
)
def test_wandbs_own_reading_of_a_dimension_is_what_optuna_searches(word: str) -> None:
    (dimension,) = read_space([word]).dimensions
    assert sweep_parameter_to_distribution(parameter(dimension)) == dimension.values.distribution()


@pytest.mark.parametrize("word", ["a=range(1,10,2)", "a=range(0.05,0.5,0.1)"])
def test_steps_that_wandb_cannot_make_are_listed(word: str) -> None:
    """W&B's steps are multiples, here they begin elsewhere."""
    (dimension,) = read_space([word]).dimensions
    assert parameter(dimension)["values"] == pytest.approx(dimension.values.options())


def test_the_configuration_is_one_that_wandb_takes_as_it_is() -> None:
    configuration = sweep_configuration(
        read_space(WORDS, spaces=SPACES), SCORE, method="bayes", trials=9, name="x", early_terminate=True
    )
    assert _validate_config_and_fill_distribution(configuration) == configuration
    assert yaml.safe_load(yaml.safe_dump(configuration)) == configuration
    assert configuration["metric"] == {"name": "exact_match", "goal": "maximize"}
    assert set(configuration["parameters"]) == {"model", "lr", "dropout", "layers [model=gru]"}
    assert configuration["run_cap"] == 9 and configuration["early_terminate"]["type"] == "hyperband"


def test_what_wandb_suggests_becomes_the_same_words_again() -> None:
    """For every point: each value as W&B would send it, numbers with the noise of its arithmetic."""
    space = read_space((*WORDS, "bridge=true,1,null,x"), spaces=SPACES)
    for drawn in drawn_at_random(space, 50):
        suggested = {
            dimension.name: typed(str(drawn.values[dimension.name]))
            if isinstance(dimension.values, Choice)
            else drawn.values[dimension.name] * (1 + 1e-16)
            for dimension in space.dimensions
            if dimension.name in drawn.values
        }
        assert drawn_from(space, {"layers [model=gru]": 2, **suggested}).words == drawn.words


@pytest.mark.parametrize(
    "wrong", [{"lr": 5.0}, {"lr": "0.01"}, {"model": "rnn"}, {"lr": None}, {"layers [model=gru]": 1.5}]
)
def test_suggestions_of_another_space_are_refused(wrong: dict[str, Any]) -> None:
    suggested = {"model": "gru", "lr": 0.01, "dropout": 0.1, "layers [model=gru]": 2}
    space = read_space(WORDS, spaces=SPACES)
    assert drawn_from(space, suggested).shown == ["model=gru", "lr=0.01", "dropout=0.1", "layers=2"]
    with pytest.raises(RequestError, match="which is none of"):
        drawn_from(space, {**suggested, **wrong})
    with pytest.raises(RequestError, match="suggests no value of lr"):
        drawn_from(space, {key: value for key, value in suggested.items() if key != "lr"})


def test_a_dry_run_writes_and_prints_the_configuration_and_contacts_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it fails
    said: list[str] = []
    world = World(tmp_path, curve)
    configuration = run(world, said)
    text = (tmp_path / "fake" / FILE).read_text(encoding="utf-8")
    assert yaml.safe_load(text) == configuration
    assert text.strip() in said[0]
    command = "s2s-train -m hydra/sweeper=wandb hydra.sweeper.dry_run=false model=lstm,gru"
    assert f"# Registered and run by: {command}" in text
    assert not world.runs


def test_suggestions_run_as_jobs_and_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suggestions = [{"model": "gru", "lr": 0.02, "dropout": 0.1, "layers [model=gru]": 2}]
    suggestions += [{"model": "lstm", "lr": 0.01, "dropout": 0.1, "layers [model=gru]": 2}]
    suggestions += [{"model": "lstm", "lr": 7.0, "dropout": 0.1, "layers [model=gru]": 2}]
    wandb = FakeWandb(suggestions)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    seen: list[bool] = []
    world = World(tmp_path, curve, facts=lambda chosen: seen.append("WANDB_RUN_ID" in os.environ) or {})
    configuration = run(world, dry_run=False, entity="team")
    assert wandb.registered == [(configuration, {"project": "s2s_lab", "entity": "team"})]
    assert wandb.joined == ["abc123"] and len(world.completed) == 2
    assert [run.summary["exact_match"] for run in wandb.runs[:2]] == [0.02, 0.01]
    assert wandb.runs[0].logged == [{"exact_match": 0.01, "step": 100}, {"exact_match": 0.02, "step": 200}]
    assert seen == [False, False]  # a job is no part of W&B's own run
    (fault,) = wandb.faults
    assert "W&B suggests lr=7.0, which is none of" in str(fault)
    words = [run.job.label for run in world.runs.values()]
    assert words == ["seed=3 model=gru lr=0.02 dropout=0.1 layers=2", "seed=3 model=lstm lr=0.01 dropout=0.1"]


def test_a_registered_sweep_is_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = FakeWandb([{"model": "lstm", "lr": 0.02, "dropout": 0.1}])
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    run(World(tmp_path, curve), dry_run=False, sweep_id="old")
    assert wandb.joined == ["old"] and not wandb.registered


def test_a_sweep_that_cannot_go_on_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = FakeWandb([])
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    with pytest.raises(RunError, match="none of its runs here has finished"):
        run(World(tmp_path / "a", curve), dry_run=False)
    wandb.sweep = None  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(RunError, match=r"W&B: the sweep cannot go on .TypeError"):
        run(World(tmp_path / "b", curve), dry_run=False)


def test_a_run_that_wandb_ends_stops_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = FakeWandb([{"model": "lstm", "lr": 0.02, "dropout": 0.1}])
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    world = World(tmp_path, lambda chosen: [0.1] * 10)
    calls: list[int] = []

    def progress_of(folder: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("as W&B's agent does in the thread of a run")
        return world.progress_of(folder)

    with pytest.raises(RunError, match="none of its runs"):
        wandb_sweep(
            world.prepare,
            world.open_engine,
            WORDS,
            WandbSettings(dry_run=False),
            higher_is_better=lambda settings: True,
            progress_of=progress_of,
            say=lambda line: None,
        )
    (stopped,) = world.runs.values()
    assert stopped.validations == 3 and not stopped.finished


def test_the_shipped_settings_are_the_defaults_and_wrong_ones_are_refused() -> None:
    node = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    assert node.pop("_target_") == "hydra_plugins.s2s_lab.WandbSweep"
    assert read_wandb_settings(node) == WandbSettings()
    assert set(node) == set(WandbSettings.__dataclass_fields__)
    for wrong, message in {
        "trils": "unknown key hydra.sweeper.trils",
        "method": "one of bayes, random, grid",
        "dry_run": "true or false",
        "project": "text is expected",
    }.items():
        with pytest.raises(RequestError, match=message):
            read_wandb_settings({wrong: 3})
