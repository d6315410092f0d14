"""Options written by somebody else: what a folder of them may hold, and what they may not change about Hydra itself.

Hydra's own node can name callbacks and handlers of the log, which Hydra would build from any module, and variables of
the environment, which processes started later obey; so whatever can do so stays as it is shipped.
"""

from collections.abc import Iterator
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
    "output_subdir": None,
    "run": {"dir": "."},
}
"""Hydra's own keys that run code, set the environment or write files, as they are shipped."""

OWN_PLUGINS = "hydra_plugins.s2s_lab."
SHIPPED: dict[str, tuple[dict[str, Any], ...]] = {
    "launcher": ({"_target_": f"{PLUGINS}.basic_launcher.BasicLauncher"},),
    "sweeper": ({"_target_": f"{PLUGINS}.basic_sweeper.BasicSweeper", "max_batch_size": None, "params": None},),
}
"""Hydra's own launcher and sweeper; others must be the laboratory's, which read their keys as plain values."""


def check_hydra_node(node: DictConfig) -> None:
    """Refuses a composed configuration that changes what Hydra runs, sets or writes.

    Args:
        node: Hydra's own node.

    Raises:
        RequestError: naming the first key that differs.
    """
    container: Any = OmegaConf.to_container(node, resolve=False)
    for place, shipped in FIXED.items():
        value: Any = container
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else value
        if value != shipped:
            raise RequestError(f"hydra.{place} cannot be set: it could run code or change the environment")
    for place, shipped in SHIPPED.items():
        if container[place] not in shipped:
            _check_plugin(container[place], place)


def _check_plugin(node: Any, place: str) -> None:
    """Refuses a launcher or sweeper that is not the laboratory's, and one that would build something itself."""
    target = node.get("_target_") if isinstance(node, dict) else None
    ours = isinstance(target, str) and target.startswith(OWN_PLUGINS) and "." not in target[len(OWN_PLUGINS) :]
    leads_elsewhere = "${" in str(node)  # perhaps to a section that builds something
    if not ours or leads_elsewhere or any(str(key).startswith("_") and key != "_target_" for key in _keys(node)):
        raise RequestError(f"hydra.{place} cannot be set so: it could run code or change the environment")


def _keys(node: Any) -> Iterator[Any]:
    """All keys of nested containers, but the outermost `_target_`."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield key
        yield from ("_" if inner == "_target_" else inner for inner in _keys(value))


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
