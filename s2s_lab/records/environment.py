"""Facts about where a run happens: package versions, the commit of the code, the machine."""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

RECORDED_PACKAGES = (
    "s2s-lab", "torch", "lightning", "hydra-core", "omegaconf", "wandb", "numpy", "tokenizers", "sacremoses",
    "sacrebleu", "torchmetrics", "safetensors",
)  # fmt: skip


def versions(packages: Iterable[str] = RECORDED_PACKAGES) -> dict[str, str]:
    """Give the versions of Python and of the named packages that are installed here."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git(folder: Path | None = None) -> dict[str, Any]:
    """Give the commit of the code that runs.

    Args:
        folder: Where to look; by default the folder of this package, and only if git keeps it.

    Returns:
        `commit` (40 hexadecimal digits) and `dirty` (whether tracked files are changed, or files of the package or of
        its options are not tracked); both None without git.
    """
    nothing: dict[str, Any] = {"commit": None, "dirty": None}
    package = Path(__file__).parents[1]
    place = package if folder is None else folder
    if folder is None and _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return nothing
    commit = _git(place, "rev-parse", "HEAD")
    changes = _git(place, "status", "--porcelain", "--untracked-files=no")
    parts = (package, package.parent / "conf") if folder is None else (place,)
    new = _git(place, "ls-files", "--others", "--exclude-standard", "--full-name", "--", *map(str, parts))
    if commit is None or changes is None:
        return nothing
    return {"commit": commit, "dirty": changes != "" or bool(new)}


def machine(devices: Sequence[str] = ()) -> dict[str, Any]:
    """Give the processor's model, the cores this process may use, the memory in GiB and the devices handed in."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "devices": list(devices),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_model(path: Path = Path("/proc/cpuinfo")) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError, AttributeError):
        return None
