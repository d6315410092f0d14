"""The Hydra plugins: found by Hydra under their names, given words and settings, and nothing that could run code."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

import s2s_lab.sweeps.search.sweeper as sweeper_module
from s2s_lab.assemble.configuration import compose_each, compose_jobs, plain
from s2s_lab.assemble.foreign import check_hydra_node
from s2s_lab.assemble.monitored import higher_is_better
from s2s_lab.assemble.options import conf_folder
from s2s_lab.assemble.search_words import SEARCHES, chooses_search, fixed_words
from s2s_lab.faults import RequestError
from s2s_lab.sweeps.launcher import LabLauncher, LabSweeper
from s2s_lab.sweeps.plugins import register
from s2s_lab.sweeps.search.sweeper import OptunaSearch
from s2s_lab.sweeps.search.wandb_sweep import WandbSweep
from tests.sweeps.search.fakes import World
from tests.sweeps.search.test_search import curve, told


def composed(*words: str) -> Any:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("train", list(words), return_hydra_config=True)


def sweeper_of(*words: str) -> Any:
    register(LabLauncher, LabSweeper, OptunaSearch, WandbSweep)
    configuration = composed(*words)
    context: Any = SimpleNamespace(config_loader=ConfigLoaderImpl(create_config_search_path(None)), callbacks=None)
    return Plugins.instance().instantiate_sweeper(
        hydra_context=context, task_function=lambda configuration: None, config=configuration
    )


def test_hydra_builds_the_sweepers_from_the_shipped_options() -> None:
    optuna = sweeper_of("hydra/sweeper=optuna", "hydra.sweeper.trials=7", "hydra.sweeper.pruning.method=median")
    assert isinstance(optuna, OptunaSearch) and type(optuna.settings["pruning"]) is dict
    assert optuna.settings["trials"] == 7 and optuna.settings["pruning"]["method"] == "median"
    assert isinstance(sweeper_of("hydra/sweeper=wandb"), WandbSweep)
    options = {path.stem for path in (conf_folder() / "hydra" / "sweeper").glob("*.yaml")}
    assert options - {"lab"} == set(SEARCHES)


def test_settings_for_the_command_line_may_hold_spaces() -> None:
    words = [
        "hydra.sweeper.params={optimizer.lr: 'tag(log,interval(0.001,0.01))'}",
        "hydra.sweeper.spaces={model\\=gru_attention: {attention: 'choice(additive,general)'}}",
        "hydra.sweeper.objectives=[bleu,{score: parameters, direction: minimize}]",
    ]
    settings = sweeper_of("hydra/sweeper=optuna", *words).settings
    assert settings["params"] == {"optimizer.lr": "tag(log,interval(0.001,0.01))"}
    assert settings["spaces"] == {"model=gru_attention": {"attention": "choice(additive,general)"}}
    assert settings["objectives"] == ["bleu", {"score": "parameters", "direction": "minimize"}]


def test_a_sweeper_searches_with_the_tasks_jobs_and_the_launchers_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, asked = World(tmp_path, curve), []

    def engine(settings: Any, total: int) -> Any:
        asked.append((settings, total))
        return world.open_engine(total)

    monkeypatch.setattr(sweeper_module, "Engine", engine)
    monkeypatch.setattr(sweeper_module, "progress_of", world.progress_of)
    sweeper = OptunaSearch(trials=3, sampler="random", params=OmegaConf.create({"lr": "interval(0,1)"}))
    sweeper.task = SimpleNamespace(prepare=world.prepare, higher_is_better=lambda settings: True)
    sweeper.launcher = SimpleNamespace(settings="the launcher's")
    found = sweeper.sweep(["model=lstm,gru"])
    assert asked == [("the launcher's", 3)] and len(told(world)) == 3
    assert found.command.startswith("s2s-train ")


def test_searching_words_are_told_from_those_of_every_job() -> None:
    parse = OverridesParser.create().parse_overrides
    words = ["hydra/sweeper=optuna", "model=lstm,gru", "optimizer.lr=interval(0,1)", "seed=3", "hydra.sweeper.trials=4"]
    assert chooses_search(parse(words))
    assert fixed_words(parse(words)) == ["hydra/sweeper=optuna", "seed=3", "hydra.sweeper.trials=4"]
    assert not chooses_search(parse(["seed=1,2"])) and not chooses_search(parse(["hydra/sweeper=basic"]))


@pytest.mark.parametrize(
    "word",
    [
        "hydra.sweeper.params={a: {_target_: os.system}}",
        "+hydra.sweeper._recursive_=true",
        "hydra.sweeper.objectives=[{_target_: os.system}]",
        "hydra.sweeper.params=${optimizer}",
        "hydra.sweeper._target_=os.system",
    ],
)
def test_settings_that_could_run_code_are_refused(word: str) -> None:
    with pytest.raises(RequestError, match=r"hydra\.sweeper cannot be set so: it could run code"):
        compose_each("train", [["hydra/sweeper=optuna", word]])


def test_the_shipped_settings_may_be_built() -> None:
    for name in SEARCHES:
        check_hydra_node(composed(f"hydra/sweeper={name}").hydra)


def test_a_command_line_that_searches_is_composed_without_what_it_searches() -> None:
    words = ["hydra/sweeper=optuna", "optimizer.lr=interval(0,1)", "model=lstm,gru"]
    assert compose_jobs("train", words, multirun=True, folder=None) == []
    with pytest.raises(RequestError, match=r"unknown key optimizer\.lrr"):
        compose_jobs("train", [*words, "optimizer.lrr=1"], multirun=True, folder=None)
    for multirun in (True, False):
        with pytest.raises(RequestError, match="only a search draws from an interval: -m hydra/sweeper=optuna"):
            compose_jobs("train", words[1:2], multirun=multirun, folder=None)
    with pytest.raises(RequestError, match="only s2s-train searches"):
        compose_jobs("evaluate", ["hydra/sweeper=optuna", "runs=[x]"], multirun=True, folder=None)


def test_the_direction_of_the_monitored_score_is_its_metrics() -> None:
    jobs = [["experiment=scan"], ["experiment=scan", "metrics.monitor=loss"]]
    scan, loss = (plain(job) for job in compose_each("train", jobs))
    assert higher_is_better(scan) is True
    assert higher_is_better(loss) is False
    errors = {"monitor": "wer", "scores": {"wer": {"_target_": "s2s_lab.metrics.word_error_rate.WordErrorRate"}}}
    assert higher_is_better({**scan, "metrics": errors}) is False
