"""Options of somebody else run no code, read no environment and take no endless memory."""

from pathlib import Path

import pytest

from s2s_lab.assemble.configuration import compose_jobs
from s2s_lab.assemble.job import check_parts
from s2s_lab.faults import RequestError
from tests.end_to_end.conftest import Commands

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


def composed(tmp_path: Path, text: str, *words: str) -> None:
    (tmp_path / "experiment").mkdir(exist_ok=True)
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n", encoding="utf-8")
    (job,) = compose_jobs("train", ["experiment=mine", *words], multirun=False, folder=str(tmp_path))
    check_parts(job)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hydra: {callbacks: {x: {_target_: os.system, command: id}}}", r"hydra\.callbacks cannot be set"),
        ("hydra: {job_logging: {handlers: {x: {'()': os.getcwd}}}}", r"hydra\.job_logging cannot be set"),
        ("hydra: {hydra_logging: {handlers: {x: {class: os.getcwd}}}}", r"hydra\.hydra_logging cannot be set"),
        ("hydra: {job: {env_set: {LD_PRELOAD: evil.so}}}", r"hydra\.job\.env_set cannot be set"),
        ("hydra: {launcher: {_target_: os.getcwd}}", r"hydra\.launcher cannot be set"),
        ("hydra: {launcher: {_target_: hydra_plugins.s2s_lab.x.y}}", r"hydra\.launcher cannot be set"),
        ("hydra: {launcher: {options: {x: {_target_: os.getcwd}}}}", r"hydra\.launcher cannot be set"),
        ("hydra: {launcher: {options: [{_args_: [1]}]}}", r"hydra\.launcher cannot be set"),
        ("hydra: {launcher: {_partial_: true}}", r"hydra\.launcher"),
        ("hydra: {launcher: null}", r"hydra\.launcher"),
        ("hydra: {sweeper: {params: {_target_: os.getcwd}}}", r"hydra\.sweeper"),
        ("hydra: {run: {dir: /}, output_subdir: etc}", r"hydra\.(run|output_subdir) cannot be set"),
        ("hydra: null", "cannot be composed"),
        ("name: ${oc.env:HOME}", "may not read the environment"),
        ("name: ${oc.decode:'${oc.env:HOME}'}", "may not read the environment"),
        ("encoder: ${oc.create:{_target_:os.getcwd}}", r"os\.getcwd"),
        ("name: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("name: [", "expected"),
        ("name: !!bool x", "'x'"),
        ("name: &a [*a]", "levels deep"),
        (BOMB, "when its aliases are expanded"),
        ("name: " + "[" * 100 + "]" * 100, "str or null is expected"),
        ("encoder: 3", "a section with a _target_ is expected"),
        ("encoder: {num_layers: 1000000000}", "at most 1000"),
        ("encoder: {hidden_size: 1000000000}", "this machine has"),
        ("encoder: {hidden_size: 100000000000000000000}", "encoder"),
        ("seed: 99999999999999999999", "at most 4294967295"),
        ("experiment_name: ../../elsewhere", "a folder below paths.outputs"),
        ("experiment_name: /elsewhere", "a folder below paths.outputs"),
        ('paths: {outputs: "a\\0b"}', "null byte"),
        ("tokenizer: {_target_: s2s_lab.data.corpora.reverse.ReverseCorpus}", "allowed there"),
        ("defaults: [mine]", "nested too deeply|includes itself"),
    ],
)
def test_somebody_elses_options_are_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(RequestError, match=expected) as error:
        composed(tmp_path, text)
    assert len(str(error.value)) < 1000


def test_search_paths_that_would_import_a_package_are_refused() -> None:
    with pytest.raises(RequestError, match="is no folder"):
        compose_jobs("train", ["hydra.searchpath=[pkg://this]"], multirun=False, folder=None)


def test_aliases_of_an_honest_size_are_welcome(tmp_path: Path) -> None:
    composed(tmp_path, "encoder: &sizes {hidden_size: 8}\ndecoder: *sizes", "data=reverse")


def test_the_command_refuses_before_hydra_runs_anything(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    folder = commands.folder / "own" / "experiment"
    folder.mkdir(parents=True)
    touch = "hydra: {callbacks: {x: {_target_: subprocess.check_output, args: [touch, canary]}}}"
    (folder / "mine.yaml").write_text(f"# @package _global_\n{touch}\n")
    done = commands("train", "--config-dir", "own", "experiment=mine", "data=reverse", "debug=tiny", code=2)
    assert done.stderr.count("\n") == 1 and "hydra.callbacks cannot be set" in done.stderr
    assert not (commands.folder / "canary").exists()
