"""The strategy of a training by its name in the configuration."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, Strategy

from s2s_lab.training.strategies.hogwild import HogwildStrategy
from s2s_lab.training.strategies.local_sgd import LocalSGDStrategy

TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for another one in a common operation before it takes it for lost."""


def choose_strategy(settings: Mapping[str, Any]) -> Strategy | str:
    """Gives what Lightning's trainer takes as `strategy`.

    Args:
        settings: the `trainer` section.
    """
    name = settings["strategy"]
    if name == "auto" and settings["devices"] * settings["num_nodes"] == 1:
        return "auto"
    if name == "fsdp":
        return FSDPStrategy(timeout=TIMEOUT, state_dict_type="full")
    if name == "local_sgd":
        return LocalSGDStrategy(start=settings["averaging_start"], period=settings["averaging_period"], timeout=TIMEOUT)
    if name == "hogwild":
        return HogwildStrategy(timeout=TIMEOUT)
    return DDPStrategy(timeout=TIMEOUT)


def steps_between_meetings(settings: Mapping[str, Any]) -> int:
    """Optimizer steps after which all ranks have to wait for each other anyway; settings as above."""
    by_name = {"local_sgd": settings["averaging_period"], "hogwild": settings["log_every"]}
    return by_name.get(settings["strategy"], 1)
