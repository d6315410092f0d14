"""Results as JSON files: what was measured, when, with which command, on which machine, with which versions."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_json, write_json
from s2s_lab.records.environment import git, machine, versions
from s2s_lab.records.run_folder import utc_now

FOLDER = Path(__file__).with_name("results")
PACKAGES = ("s2s-lab", "torch", "lightning", "numpy")
PATH_OPTIONS = (
    "--data", "--scratch", "--results", "--readme", "--plot", "--peer-python", "--peer-drivers", "--peer-home",
)  # fmt: skip


def write_result(folder: Path, name: str, facts: Mapping[str, Any], *, label: str = "") -> dict[str, Any]:
    """Writes FOLDER/NAME.json, or FOLDER/NAME.LABEL.json: the facts, and where and how they were found.

    Args:
        folder: made if need be.
        name: of the section.
        facts: rows, and what else a reader needs.
        label: of another machine, whose results stand beside the others; see `check_label`.

    Returns:
        The whole document.

    Raises:
        RequestError: if the folder cannot be made.
    """
    document = {
        "name": name,
        "date": utc_now(),
        "command": f"python -m experiments.speed {' '.join(without_paths(sys.argv[1:]))}".strip(),
        "machine": machine(_devices()),
        "versions": versions(PACKAGES),
        "git": git(),
        "load": [round(value, 2) for value in os.getloadavg()],
        **facts,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--results {folder}: cannot be made ({error.strerror or error})") from error
    write_json(folder / (f"{name}.{label}.json" if label else f"{name}.json"), document)
    return document


def read_results(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Reads what `write_result` wrote, by label: first that without one (""), then the others; {} if there is none.

    Raises:
        RequestError: if a file is no JSON object.
    """
    documents = {}
    for path in (folder / f"{name}.json", *sorted(folder.glob(f"{name}.*.json"))):
        if not path.is_file():
            continue
        document = read_json(path)
        if not isinstance(document, dict):
            raise RequestError(f"{path}: a JSON object is expected")
        documents[path.name.removeprefix(name).removesuffix("json").strip(".")] = document
    return documents


def check_label(label: str) -> None:
    """Checks the label of a machine, which becomes part of a file's name.

    Raises:
        RequestError: if it holds anything but letters, digits, - and _.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]*", label):
        raise RequestError(f"--label {label}: letters, digits, - and _ are expected")


def without_paths(words: Sequence[str]) -> list[str]:
    """The words of a command line, each path replaced by its option's name in capitals."""
    shown, option = [], None
    for given in words:
        name, equals, _ = given.partition("=")
        if option is not None:
            shown.append(_placeholder(option))
            option = None
        elif name in PATH_OPTIONS and equals:
            shown.append(f"{name}={_placeholder(name)}")
        else:
            shown.append(given)
            option = given if given in PATH_OPTIONS else None
    return shown


def _placeholder(option: str) -> str:
    return option.removeprefix("--").replace("-", "_").upper()


def _devices() -> list[str]:
    import torch

    return [torch.cuda.get_device_name()] if torch.cuda.is_available() else ["cpu"]
