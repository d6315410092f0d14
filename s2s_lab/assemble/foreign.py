"""Options written by somebody else: what a folder of them may hold, and what they may not change about Hydra itself.

Hydra's own node can name callbacks and handlers of the log, which Hydra would build from any module, and variables of
the environment, which processes started later obey; so whatever can do so stays as it is shipped.
"""

from itertools import chain
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from s2s_lab.faults import RequestError
from s2s_lab.records.plain_yaml import check_size

PLUGINS = "hydra._internal.core_plugins"
QUIET = {"version": 1, "root": None, "disable_existing_loggers": False}
FIXED: dict[str, Any] = {
    "callbacks": {},
    "env": {},
    "hydra_logging": QUIET,
    "job.chdir": None,
    "job.env_copy": [],
    "job.env_set": {},
    "job_logging": QUIET,
    "launcher": {"_target_": f"{PLUGINS}.basic_launcher.BasicLauncher"},
    "output_subdir": None,
    "run": {"dir": "."},
    "sweeper": {"_target_": f"{PLUGINS}.basic_sweeper.BasicSweeper", "max_batch_size": None, "params": None},
}
"""Hydra's own keys that run code, set the environment or write files, as they are shipped."""


def check_hydra_node(node: DictConfig) -> None:
    """Refuses a composed configuration that changes what Hydra runs, sets or writes.

    Args:
        node: Hydra's own node.

    Raises:
        RequestError: naming the first key that differs.
    """
    container = OmegaConf.to_container(node, resolve=False)
    for place, shipped in FIXED.items():
        value: Any = container
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else value
        if value != shipped:
            raise RequestError(f"hydra.{place} cannot be set: it could run code or change the environment")


def check_own_options(folder: Path) -> None:
    """Looks for options of a user's folder that would take all memory: a few lines of aliases can stand for billions.

    Args:
        folder: laid out like conf/; what else is wrong with a file is told when it is chosen.

    Raises:
        RequestError: naming the file.
    """
    for path in chain(folder.glob("*.yaml"), folder.glob("*/*.yaml"), folder.glob("*/*/*.yaml")):
        text = path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else ""
        if "*" in text and "&" in text:
            check_size(text, path)


def close_environment() -> None:
    """Takes `${oc.env:NAME}` away: configurations are written into run folders and sent to trackers."""

    def refuse(*words: str) -> str:
        raise RequestError(
            f"oc.env:{words[0] if words else ''}: a configuration may not read the environment, it may hold secrets; "
            "give the value on the command line: KEY=$NAME"
        )

    OmegaConf.register_new_resolver("oc.env", refuse, replace=True)
