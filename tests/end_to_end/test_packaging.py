"""A built wheel, installed in another environment, works from any folder."""

import site
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and, by path, the dependencies of this one; not this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    return folder / "venv" / "bin"


def test_the_installed_package_is_not_the_checkout(environment: Path, tmp_path: Path) -> None:
    code = "import s2s_lab, pathlib; print(pathlib.Path(s2s_lab.__file__).parent / 'conf')"
    done = subprocess.run(
        [environment / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    conf = Path(done.stdout.strip())
    assert not conf.is_relative_to(REPOSITORY)
    assert (conf / "train.yaml").is_file()


def test_it_trains_on_scan_from_any_folder_with_an_option_of_the_users_own(environment: Path, tmp_path: Path) -> None:
    own = tmp_path / "own" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - gru\nencoder:\n  hidden_size: 24\n", encoding="utf-8"
    )
    words = [
        "data=scan", "model=mine", "decoder.hidden_size=24", "trainer.max_steps=2", "trainer.validate_every=1",
        "trainer.validation_sentences=4", "logger=csv", "--config-dir", "own",
    ]  # fmt: skip
    done = subprocess.run([environment / "s2s-train", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (run,) = tmp_path.glob("outputs/scan/*/model/model.safetensors")
    assert run.stat().st_size > 0
