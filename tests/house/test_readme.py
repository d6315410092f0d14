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


def table_of_options() -> dict[str, set[str]]:
    """The words in code of each row of the table of groups, by the groups that the row begins with."""
    rows = re.findall(r"^\| (`[^|]+) \| (.+) \|$", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    found: dict[str, set[str]] = {}
    for groups, cell in rows:
        for group in re.findall(r"`([^`]+)`", groups):
            words = {word.strip(",") for span in re.findall(r"`([^`]+)`", cell) for word in span.split()}
            found.setdefault(group.partition("@")[0], set()).update(words)
    return found


@pytest.mark.parametrize("group", sorted(path.name for path in (REPOSITORY / "conf").iterdir() if path.is_dir()))
def test_its_table_names_every_option(group: str) -> None:
    """A word that begins with `_` continues each of its row; `...` stands for what begins as the word before it."""
    words = table_of_options()
    for folder in (REPOSITORY / "conf" / group).glob("*/") if group == "hydra" else [REPOSITORY / "conf" / group]:
        named = words[str(folder.relative_to(REPOSITORY / "conf"))]
        suffixes = {word for word in named if word.startswith("_")}
        made = {base + suffix for base in named for suffix in suffixes}
        options = {path.stem for path in folder.glob("*.yaml")}
        begun = {option for option in options if "..." in named and option.startswith("lstm_")}
        assert not options - named - made - begun
