"""Who may import whom."""

import ast
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "s2s_lab"
PARTS = {"models", "decoding", "data", "metrics", "records"}
MAY_IMPORT = {
    **{room: set() for room in PARTS},
    "inference": {"models", "decoding", "data", "metrics", "records"},
    "training": {"inference", *PARTS},
    "sweeps": {"records"},
    "reports": {"records", "metrics"},
    "assemble": {"training", "inference", *PARTS},
    "train": {"assemble", "sweeps", "records"},
    "evaluate": {"assemble", "sweeps", "records", "reports"},
    "translate": {"assemble", "sweeps", "records"},
    "job": {"assemble", "sweeps", "records"},
    "compare": {"reports"},
    "report": {"reports"},
    "dashboard": {"reports"},
    "study": {"assemble", "sweeps", "records", "reports"},
    "faults": set(),
    "nested": set(),
    "__init__": set(),
}
ENTRY_POINTS = ("train", "evaluate", "translate", "compare", "report", "study", "dashboard", "job")
WANDB_ALONE = {"sweeps/search/wandb_sweep.py": {"wandb"}}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("s2s_lab.")} - {"faults", "nested"}


def top_packages(path: Path, *, top_level_only: bool = False) -> set[str]:
    return {name.split(".")[0] for name in imported(path, top_level_only=top_level_only)}


def test_every_room_has_a_rule() -> None:
    assert {room_of(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_import_only_what_they_may(path: Path) -> None:
    room = room_of(path)
    assert rooms_imported(path) <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_frameworks_stay_in_their_rooms(path: Path) -> None:
    room, packages = room_of(path), top_packages(path)
    if room not in {"assemble", "sweeps", *ENTRY_POINTS}:
        assert not packages & {"hydra", "omegaconf"}
    place = path.relative_to(PACKAGE).as_posix()
    if room != "training" and place != "assemble/experiment.py":
        assert not packages & ({"lightning", "pytorch_lightning", "wandb"} - WANDB_ALONE.get(place, set()))
    if room != "training":
        assert "torchmetrics" not in packages
    if room in {"metrics", "records", "reports", "sweeps"}:
        assert "torch" not in packages
    if room != "assemble":
        assert not {name for name in imported(path) if name.startswith("hydra.utils")}


@pytest.mark.parametrize("path", sorted((PACKAGE / "sweeps").rglob("*.py")), ids=lambda path: str(path.name))
def test_sweeps_import_what_is_slow_inside(path: Path) -> None:
    assert not top_packages(path, top_level_only=True) & {"optuna", "wandb", "ray", "submitit"}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_entry_points_import_only_hydra_and_the_standard_library_at_their_top(name: str) -> None:
    packages = top_packages(PACKAGE / f"{name}.py", top_level_only=True)
    assert packages <= {"hydra", *sys.stdlib_module_names}


def test_concrete_variants_never_import_each_other() -> None:
    """A variant is a file that some option of conf/ builds from."""
    options = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.parent.glob("conf/**/*.yaml"))
    variants = {target.rpartition(".")[0] for target in re.findall(r"_target_: (s2s_lab\.models\.\S+)", options)}
    assert variants
    for variant in variants:
        path = PACKAGE.parent / (variant.replace(".", "/") + ".py")
        used = {name.rpartition(".")[0] for name in imported(path)}
        assert not used & (variants - {variant}), f"{variant} imports {used & variants}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "__init__.py"], ids=lambda path: str(path.parent.name)
)
def test_init_files_hand_nothing_on(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_says_in_its_first_sentence_what_lives_there(path: Path) -> None:
    first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()
    assert first and first[0].endswith(".")
