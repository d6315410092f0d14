"""Evaluating and translating with a run of somebody else: nothing of it runs, nothing beside it is written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.grid import evaluate_runs
from s2s_lab.evaluate import evaluate
from s2s_lab.faults import RequestError
from tests.assemble.test_experiment import run
from tests.end_to_end.conftest import Commands

WORDS = ["decoding=greedy", "accelerator=cpu", "num_threads=1", "decoding.max_length=5"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("outputs")).path


@pytest.fixture
def own(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "run"))


def settings(own: Path, *words: str) -> dict[str, Any]:
    (job,) = compose_jobs("evaluate", [f"runs=[{own}]", *WORDS, *words], multirun=False, folder=None)
    return plain(job)


def changed(key: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), key: value}))

    return change


EVIL = {"_target_": "os.mkdir", "path": "canary"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changed("data", {"corpus": EVIL}), r"data\.corpus\._target_='os\.mkdir'"),
        (changed("data", None), "data.corpus=None"),
        (changed("data", {"corpus": {"_target_": "s2s_lab.data.corpora.files.sha256_of"}}), "a Corpus is expected"),
        (changed("metrics", {"scores": {"x": EVIL}}), r"metrics\.scores\.x\._target_='os\.mkdir'"),
        (changed("metrics", {}), "metrics.scores=None"),
        (changed("job", "no section"), None),
        (lambda folder: (folder / "run.json").write_text('{"schema": 1}') and None, "no finished model"),
        (lambda folder: (folder / "run.json").write_text("[" * 100000) and None, "nested too deeply"),
        (lambda folder: (folder / "evaluation").symlink_to(folder.parent), "leads out of the run"),
    ],
)  # fmt: skip
def test_a_hostile_run_is_refused(own: Path, change: Callable[[Path], None], expected: str | None) -> None:
    change(own)
    if expected is None:
        assert list(evaluate_runs(settings(own)))
        return
    with pytest.raises(RequestError, match=expected):
        list(evaluate_runs(settings(own)))
    assert {path.name for path in own.parent.iterdir()} == {"run"}


@pytest.mark.parametrize("split", ["../../x", "/etc", "nowhere"])
def test_a_split_is_a_name_of_the_corpus(own: Path, split: str) -> None:
    with pytest.raises(RequestError, match="has no such split"):
        list(evaluate_runs(settings(own, f"split={split}")))


def test_names_are_shown_as_text(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = json.loads((own / "run.json").read_text())
    (own / "run.json").write_text(json.dumps({**facts, "name": "[/] [red]gru[/red]"}))
    evaluate([OmegaConf.create(settings(own))])
    assert "[/] [red]gru[/red] seed 1" in capsys.readouterr().out


def test_the_command_says_so_in_one_line(own: Path) -> None:
    path = own / "model" / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "cell": EVIL}))
    commands = Commands(own.parent)
    done = commands("translate", f"run={own}", text="a b\n", code=2)
    assert done.stdout == "" and done.stderr.count("\n") == 1 and "may not be built" in done.stderr
    assert not (own.parent / "canary").exists()
