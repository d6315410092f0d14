"""Options of conf/, read without Hydra."""

from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[2] / "conf"


def options(group: str) -> list[str]:
    """Names of the options of a group."""
    found = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    assert found, f"conf/{group} holds no option"
    return found


def settings(group: str, name: str) -> dict[str, Any]:
    """What an option sets, what it inherits included."""
    node = yaml.safe_load((CONF / group / f"{name}.yaml").read_text(encoding="utf-8")) or {}
    merged: dict[str, Any] = {}
    for parent in node.pop("defaults", []):
        if isinstance(parent, dict):  # /GROUP@KEY: OPTION
            ((place, option),) = parent.items()
            of_group, _, key = place.removeprefix("/").partition("@")
            merged[key] = settings(of_group, option)
        elif parent != "_self_":
            merged |= settings(group, parent)
    return merged | node
