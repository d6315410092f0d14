"""No secret of the environment enters a run folder, finished or failed with a traceback."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import REPOSITORY, SMALL, Commands
from tests.end_to_end.wandb_file import records

CANARY = "c0ffee5ecret"
SECRETS = {
    "WANDB_API_KEY": (CANARY * 4)[:40],
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-aws",
    "HF_TOKEN": f"hf_{CANARY}",
    "SOME_PASSWORD": f"{CANARY}-password",
}
FAILING = """
from s2s_lab.training.objectives.cross_entropy import CrossEntropy
class Failing(CrossEntropy):
    calls = 0
    def __call__(self, *arguments, **named):
        Failing.calls += 1
        if Failing.calls > 2:
            raise RuntimeError("the objective fails")
        return super().__call__(*arguments, **named)
"""
WORDS = [
    *SMALL, "data.size=60", "trainer.max_steps=4", "trainer.validate_every=2", "trainer.validation_sentences=4",
    "trainer.log_every=1", "logger=wandb", "model=gru_attention",
]  # fmt: skip


def holding(folder: Path, secret: str) -> list[str]:
    """Files below a folder that hold a secret, as text or within anything that is not compressed."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    return [str(path) for path in files if secret.encode() in path.read_bytes()]


@pytest.fixture
def careless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with secrets wherever a program might find them."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {CANARY}-netrc\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    for words in (["init", "-q"], ["remote", "add", "origin", f"https://user:{CANARY}@example.invalid/x.git"]):
        subprocess.run(["git", *words], cwd=work, check=True)
    (work / "mine.py").write_text(FAILING)
    return work


@pytest.mark.slow
def test_a_finished_run_holds_no_secret(careless: Path) -> None:
    Commands(careless)("train", *WORDS)
    assert not holding(careless / "outputs", CANARY)


def test_a_run_that_fails_holds_no_secret(careless: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{careless}", "S2S_LAB_TRUST": "mine"}
    done = subprocess.run(
        [sys.executable, "-m", "s2s_lab.train", *WORDS, "objective._target_=mine.Failing"],
        cwd=careless, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (error,) = careless.glob("outputs/*/*/error.txt")
    assert "Traceback" in error.read_text() and "the objective fails" in error.read_text()
    assert not holding(careless / "outputs", CANARY)
    assert CANARY not in done.stdout + done.stderr
    (file,) = careless.glob("outputs/*/*/wandb/**/*.wandb")
    deadline = time.monotonic() + 30  # W&B's own process may write a little longer than the job lives
    while not any(record.WhichOneof("record_type") == "run" for record in records(file)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    told = [(record.WhichOneof("record_type"), record) for record in records(file)]
    assert not [
        record
        for kind, record in told
        if kind == "environment" and (record.environment.args or record.environment.host)
    ]
    assert next(record.run.host for kind, record in told if kind == "run") == ""
