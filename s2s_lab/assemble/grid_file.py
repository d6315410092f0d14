"""A file that names evaluations: each label stands for words of s2s-evaluate, composed before the first one starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from s2s_lab.assemble.configuration import compose_each, plain
from s2s_lab.faults import RequestError
from s2s_lab.records.plain_yaml import read_yaml
from s2s_lab.records.study_rows import word

OF_THE_GRID = ("runs", "grid", "label", "table", "again", "paths.outputs", "wandb", "wandb_project", "wandb_entity")
"""Keys that belong to the command line, as they are about all evaluations of a grid."""


def expanded(configurations: Sequence[DictConfig]) -> list[dict[str, Any]]:
    """Gives the settings of every evaluation that is asked for, a grid file's in place of the one that names it.

    Args:
        configurations: composed, with Hydra's node.

    Returns:
        Plain conf/evaluate.yaml for each, and under `words` those words that not all configurations were given.

    Raises:
        RequestError: if a grid file cannot be read or composed, or asks for the same evaluation twice.
    """
    found = []
    several = len(configurations) > 1
    given = [list(each.hydra.overrides.task) if several else [] for each in configurations]
    common = set.intersection(*map(set, given)) if given else set()
    for configuration, words in zip(configurations, given, strict=True):
        settings = plain(configuration)
        if settings["grid"] is None:
            found.append({**settings, "words": " ".join(text for text in words if text not in common)})
        else:
            found += _of_file(Path(settings["grid"]), configuration)
    return found


def _of_file(path: Path, configuration: DictConfig) -> list[dict[str, Any]]:
    entries = read_grid(path)
    given = [text for text in configuration.hydra.overrides.task if _key(text) not in ("grid", "label")]
    search = [f"hydra.searchpath=[{each}]" for each in [",".join(configuration.hydra.searchpath)] if each]
    jobs = {
        label: [
            *(text for text in given if _key(text) not in words),
            *(word(key, value) for key, value in words.items()),
            word("label", label),
        ]
        for label, words in entries.items()
    }
    try:  # together, as those that choose the same options are composed once
        found = compose_each("evaluate", list(jobs.values()), search=search)
    except RequestError:
        found = [_composed(path, label, words, search) for label, words in jobs.items()]
    composed = dict(zip(jobs, map(plain, found), strict=True))
    first: dict[str, str] = {}
    for label, settings in composed.items():
        earlier = first.setdefault(repr({**settings, "label": None}), label)
        if earlier != label:
            raise RequestError(f"{path}: {earlier} and {label} ask for the same evaluation")
    return list(composed.values())


def _composed(path: Path, label: str, words: Sequence[str], search: Sequence[str]) -> DictConfig:
    try:
        return compose_each("evaluate", [words], search=search)[0]
    except RequestError as error:
        raise RequestError(f"{path}: {label}: {error}") from None


def read_grid(path: Path) -> dict[str, dict[str, Any]]:
    """Reads a grid file.

    Args:
        path: YAML: label -> {KEY: VALUE, ...}, words of s2s-evaluate.

    Returns:
        The same, as plain values.

    Raises:
        RequestError: if it cannot be read, has another form, or sets what is about the whole grid.
    """
    found = read_yaml(path)
    if not isinstance(found, Mapping) or not found:
        raise RequestError(f"grid={path}: label -> {{decoding: beam, decoding.size: 10, ...}} is expected")
    for label, words in found.items():
        if not isinstance(words, Mapping):
            raise RequestError(f"{path}: {label} is {words!r}; words like {{decoding: beam}} are expected")
        for key, value in words.items():
            if key in OF_THE_GRID or key.startswith("hydra"):
                raise RequestError(
                    f"{path}: {label}: {key} belongs to the command line, as it is about all evaluations"
                )
            if isinstance(value, Mapping):
                raise RequestError(f"{path}: {label}: {key} is {value!r}; a value is expected, as in {key}.KEY: VALUE")
    return {str(label): dict(words) for label, words in found.items()}


def _key(text: str) -> str:
    return text.partition("=")[0].lstrip("+~")
