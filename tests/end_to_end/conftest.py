"""Commands run as a user runs them, and one small trained run that several tests look at."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.end_to_end.opened import executable

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = [
    "data=reverse",
    "data.size=2000",
    "embedding.embedding_size=32",
    "encoder.hidden_size=64",
    "decoder.hidden_size=64",
    "data.batch.max_sentences=64",
    "trainer.num_threads=1",
]


class Commands:
    """Runs `python -m s2s_lab.NAME` in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, name: str, *words: str, text: str | bytes | None = None, code: int = 0, seconds: float = 300
    ) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:s2s_lab", "-m", f"s2s_lab.{name}", *words],
            cwd=self.folder,
            env=environment,
            input=text.encode() if isinstance(text, str) else text,
            capture_output=True,
            timeout=seconds,
        )
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Commands, Path]:
    """A GRU with attention that has learnt to reverse; the folder commands run in, and the run folder."""
    commands = Commands(tmp_path_factory.mktemp("user"))
    done = commands(
        "train",
        *SMALL,
        "data.size=5000",
        "model=gru_attention",
        "optimizer.lr=0.004",
        "learning_rate=cosine",
        "trainer.max_steps=900",
        "trainer.validate_every=300",
    )
    run = next(line.removeprefix("run ") for line in done.stdout.splitlines() if line.startswith("run "))
    return commands, commands.folder / run


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=executable(playwright), args=arguments, headless=True)
        yield started
        started.close()
