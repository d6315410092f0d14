"""Prints constraints.txt: the exact version of everything that this project's development environment is made of.

Walks from the project through the requirements of what is installed, so that strangers in the environment are left out.
Versions carry no local part (`+cpu`), so that the same file serves every platform; packages that other platforms need
besides are not in it.
"""

import re
import sys
from importlib import metadata

from packaging.requirements import Requirement

ROOT = ("s2s-lab", frozenset({"dev", "tensorboard"}))
HEADER = """\
# Exact versions of the whole development environment, written by `make lock`; `make install` installs these.
"""


def canonical(name: str) -> str:
    """The name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(root: tuple[str, frozenset[str]] = ROOT) -> dict[str, str]:
    """Versions by canonical name of all that the project needs here, itself left out.

    Raises:
        SystemExit: if something is needed and not installed.
    """
    versions: dict[str, str] = {}
    waiting, done = [root], set()
    while waiting:
        name, extras = waiting.pop()
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            sys.exit(f"lock: {name} is needed but not installed; run `make install` first")
        versions[canonical(name)] = found.version.partition("+")[0]
        for text in found.requires or []:
            needed = Requirement(text)
            applies = needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {"", *extras})
            entry = (canonical(needed.name), frozenset(needed.extras))
            if applies and entry not in done:
                done.add(entry)
                waiting.append(entry)
    del versions[canonical(root[0])]
    return dict(sorted(versions.items()))


if __name__ == "__main__":
    print(HEADER + "\n".join(f"{name}=={version}" for name, version in locked().items()))
