"""The shipped settings of a search are its defaults, and wrong ones are refused in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from s2s_lab.faults import RequestError
from s2s_lab.sweeps.search.settings import SearchSettings, Wanted, read_settings

SHIPPED = Path(__file__).resolve().parents[3] / "conf" / "hydra" / "sweeper" / "optuna.yaml"


def test_the_shipped_settings_are_the_defaults() -> None:
    node = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    assert node.pop("_target_") == "hydra_plugins.s2s_lab.OptunaSearch"
    assert read_settings(node) == read_settings({}) == SearchSettings()
    assert set(node) == set(SearchSettings.__dataclass_fields__)


def test_objectives_may_be_names_or_sections() -> None:
    settings = read_settings({"objectives": ["bleu", {"score": "seconds", "direction": "maximize"}]})
    assert settings.objectives == (Wanted("bleu"), Wanted("seconds", "maximize"))
    assert read_settings({"pruning": "median"}).pruning.method == "median"


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"trails": 3}, "unknown key hydra.sweeper.trails; did you mean hydra.sweeper.trials"),
        ({"pruning": {"methd": "median"}}, "did you mean hydra.sweeper.pruning.method"),
        ({"pruning": "medan"}, "did you mean median"),
        ({"pruning": 3}, "a section with method"),
        ({"sampler": "tpee"}, "did you mean tpe"),
        ({"sampler": ["tpe"]}, "one of tpe, random"),
        ({"trials": 0}, "a whole number from 1 on"),
        ({"trials": True}, "a whole number from 1 on"),
        ({"seed": 1.5}, "hydra.sweeper.seed=1.5"),
        ({"pruning": {"reduction_factor": 1}}, "a whole number from 2 on"),
        ({"poll_seconds": 0}, "seconds above 0"),
        ({"accept_changed": "yes"}, "true or false"),
        ({"objectives": "bleu"}, "a list is expected"),
        ({"objectives": [{"direction": "up"}]}, "one of maximize, minimize"),
        ({"objectives": [{"score": 3}]}, "the name of a score"),
        ({"objectives": [3]}, "a section with score, direction"),
        ({"objectives": ["a", "a"]}, "a is named twice"),
        ({"objectives": ["a", "b"], "sampler": "cmaes"}, "it knows one objective"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(node: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read_settings(node)
    assert "\n" not in str(caught.value)
