"""--help takes less than a second of the processor and pays for no heavy import."""

import resource
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.end_to_end.conftest import REPOSITORY

COMMANDS = ("train", "evaluate", "translate", "compare", "report", "study", "dashboard")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_takes_less_than_a_second_of_the_processor(name: str) -> None:
    seconds = []  # of the processor, which what else the machine does hardly changes
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", f"s2s_lab.{name}", "--help"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert f"s2s-{name}" in done.stdout
    assert min(seconds) < 1.0


@pytest.mark.parametrize("name", COMMANDS)
def test_help_imports_neither_torch_nor_lightning(name: str) -> None:
    code = (
        f"import sys; sys.argv = ['s2s-{name}', '--help']\n"
        f"from s2s_lab.{name} import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'lightning', 'wandb', 'torchmetrics', 'plotly'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True)


@pytest.mark.parametrize("name", ["train", "evaluate", "translate"])
def test_the_version_is_the_laboratorys_own(name: str) -> None:
    command = [sys.executable, "-m", f"s2s_lab.{name}", "--version"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == f"s2s-{name} {version('s2s-lab')}\n"


def test_a_study_needs_its_path_alone() -> None:
    command = [sys.executable, "-m", "s2s_lab.study", "plan"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.endswith("the following arguments are required: PATH\n")
