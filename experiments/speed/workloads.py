"""What is measured: workloads and settings of workloads.yaml, and every named model of conf/model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s2s_lab.assemble.options import groups
from s2s_lab.faults import RequestError

FILE = Path(__file__).with_name("workloads.yaml")
MODELS = Path(__file__).parents[2] / "conf" / "model"
ALL, NAMED = "all", "named"  # words that stand for several workloads


@dataclass(frozen=True)
class Workload:
    """One model to measure.

    Attributes:
        name: as on the command line.
        about: the model in a sentence.
        words: what `s2s-train` is told of it.
    """

    name: str
    about: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The whole of workloads.yaml.

    Attributes:
        workloads: by name, those of the file first, then the named models.
        own: how many of them the file gives.
        settings: words of each arithmetic, by name.
        data: words that every corpus gets.
        training: words that every training gets.
    """

    workloads: dict[str, Workload]
    own: int
    settings: dict[str, tuple[str, ...]]
    data: tuple[str, ...]
    training: tuple[str, ...]

    def chosen_workloads(self, names: Sequence[str]) -> list[Workload]:
        """The workloads of these names; `all` and `named` (conf/model alone) stand for several.

        Raises:
            RequestError: if a name is unknown.
        """
        everything = list(self.workloads)
        several = {ALL: everything, NAMED: everything[self.own :]}
        expanded = [name for given in names for name in several.get(given, [given])]
        known = [*everything, *several]
        return [self.workloads[_known("--workloads", name, known)] for name in dict.fromkeys(expanded)]

    def chosen_settings(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The settings of these names.

        Raises:
            RequestError: if a name is unknown.
        """
        return {name: self.settings[_known("--settings", name, list(self.settings))] for name in dict.fromkeys(names)}


def read_plan(path: Path = FILE) -> Plan:
    """Reads workloads.yaml and adds the named models found in conf/model."""
    found: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    own = {name: Workload(name, node["about"], tuple(node["words"])) for name, node in found["workloads"].items()}
    named = {name: Workload(name, f"conf/model/{name}.yaml", _words(name)) for name in groups()["model"]}
    return Plan(
        workloads={**own, **named},
        own=len(own),
        settings={name: tuple(words) for name, words in found["settings"].items()},
        data=tuple(found["data"]),
        training=tuple(found["training"]),
    )


def _words(name: str) -> tuple[str, ...]:
    """What chooses a named model: with one vocabulary for both sides where it has one table for them.

    They have a smaller learning rate than M1 and M2, at whose 0.002 the gradients of gehring_2017 are not finite any
    more after a few steps; a rate costs no time.
    """
    shared = ["data.vocabulary.shared=true"] if _shares_vocabulary(name) else []
    return (f"model={name}", "optimizer.lr=0.0002", *shared)


def _shares_vocabulary(name: str) -> bool:
    """Whether a model's file, or one that it is made from, says data.vocabulary.shared: true."""
    node = yaml.safe_load((MODELS / f"{name}.yaml").read_text(encoding="utf-8"))
    own = node.get("data", {}).get("vocabulary", {}).get("shared")
    parents = [entry for entry in node.get("defaults", []) if isinstance(entry, str) and entry != "_self_"]
    return any(map(_shares_vocabulary, parents)) if own is None else bool(own)


def _known(option: str, name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise RequestError(f"{option} {name}: unknown; expected some of {', '.join(known)}")
    return name
