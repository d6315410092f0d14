"""Facts about software and machine are true, and their absence is no error."""

import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from s2s_lab.records.environment import git, machine, versions


def test_versions_are_those_installed() -> None:
    found = versions(("numpy", "no-such-package-of-anybody"))
    assert found.pop("python")
    assert found == {"numpy": metadata.version("numpy")}


def test_git_tells_commit_and_changes(tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    run("init", "-q")
    assert git(tmp_path) == {"commit": None, "dirty": None}
    (tmp_path / "file").write_text("a")
    run("add", "file")
    run("commit", "-q", "-m", "first")
    assert git(tmp_path) == {"commit": run("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "ignored").write_text("a")
    (tmp_path / ".git" / "info" / "exclude").write_text("ignored\n")
    assert git(tmp_path)["dirty"] is False
    (tmp_path / "untracked").write_text("a")
    assert git(tmp_path)["dirty"] is True
    (tmp_path / "untracked").unlink()
    assert git(tmp_path)["dirty"] is False
    (tmp_path / "file").write_text("b")
    assert git(tmp_path)["dirty"] is True


def test_without_git_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git(tmp_path) == {"commit": None, "dirty": None}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git() == {"commit": None, "dirty": None}


def test_the_machine_is_described_without_its_name() -> None:
    facts = machine(["Example GPU"])
    assert facts["cores"] >= 1
    assert facts["devices"] == ["Example GPU"]
    assert set(facts) == {"cpu", "cores", "memory_gb", "system", "devices"}
