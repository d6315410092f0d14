"""constraints.txt fixes the whole development environment, and says nothing of the machine it was made on."""

import importlib.util
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[2]
LINES = [line for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
PINS = dict(line.split("==") for line in LINES)
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lock() -> dict[str, str]:
    """What `make lock` would write now."""
    spec = importlib.util.spec_from_file_location("lock", REPOSITORY / ".ci" / "lock.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.locked()


def test_every_line_is_a_name_and_an_exact_version() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in LINES)
    assert sorted(PINS) == list(PINS)
    assert PINS["torch"] == "2.13.0"


def test_what_the_project_asks_for_is_pinned_within_its_bounds() -> None:
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, asked):
        if requirement.name != "s2s-lab":
            assert requirement.specifier.contains(PINS[requirement.name]), requirement


def test_all_that_those_need_is_pinned_too() -> None:
    """A package that is needed here without a pin would be another one tomorrow."""
    assert set(lock()) <= set(PINS)
