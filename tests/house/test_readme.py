"""What the README tells a reader to type exists and is understood."""

import re
import shlex
from pathlib import Path

import pytest

from s2s_lab.assemble.configuration import compose_jobs

REPOSITORY = Path(__file__).resolve().parents[2]
FENCES = re.findall(r"```(?:sh|bash)\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
LINES = [line.split(" #")[0].strip() for fence in FENCES for line in fence.replace("\\\n", " ").splitlines()]
COMMANDS = [line for line in LINES if re.match(r"s2s-(train|evaluate|translate)\b(?! --help)", line)]


def test_the_readme_shows_every_command() -> None:
    shown = {line.split()[0] for line in LINES if line}
    assert {"s2s-train", "s2s-evaluate", "s2s-translate", "s2s-compare", "s2s-report", "s2s-study"} <= shown


def test_the_studies_it_names_are_there() -> None:
    named = [word for line in LINES if line.startswith("s2s-study") for word in line.split() if "/" in word]
    assert named and all((REPOSITORY / word / "study.yaml").is_file() for word in named)


@pytest.mark.parametrize("line", COMMANDS)
def test_its_command_lines_compose(line: str) -> None:
    program, *words = [word for word in shlex.split(line.split("<")[0].split("|")[0])]
    multirun = "-m" in words
    overrides = [word for word in words if word != "-m"]
    jobs = compose_jobs(program.removeprefix("s2s-"), overrides, multirun=multirun, folder=None)
    draws = any(word.startswith("hydra/sweeper=") for word in words)  # a search draws its jobs one after the other
    assert draws != bool(jobs)


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {word for line in LINES for word in re.findall(r"^make ([a-z-]+)", line)}
    assert {"demo", "test"} <= used <= targets


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    assert "make test" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


def test_links_to_files_lead_somewhere() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (REPOSITORY / link).exists(), link
