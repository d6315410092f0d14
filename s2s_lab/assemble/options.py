"""The shipped options: where they lie, which groups there are, and Hydra's global state while they are composed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra


def conf_folder() -> Path:
    """The folder of the shipped options: inside an installed package, else beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def groups(folder: Path | None = None) -> dict[str, list[str]]:
    """The options of every group, by the names of the files."""
    folder = folder or conf_folder()
    found = {}
    for group in sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "hydra"):
        found[group.name] = sorted(path.stem for path in group.glob("*.yaml"))
    return found


def options_of(group: str) -> list[str]:
    """The options of any group, Hydra's own launchers and sweepers included; none where there is no such group."""
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))


@contextmanager
def beside_hydra() -> Iterator[None]:
    """Lets Hydra's one global state rest while something is composed: a sweeper composes within Hydra's own main."""
    state = GlobalHydra.instance()
    running, state.hydra = state.hydra, None
    try:
        yield
    finally:
        state.hydra = running


def groups_of(name: str) -> dict[str, list[str]]:
    """The options of the groups that one command chooses from, by the word that chooses one: `group` or `group@place`.

    Args:
        name: the primary configuration: train, evaluate or translate.
    """
    with beside_hydra(), initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose(name, return_hydra_config=True)
    chosen = [str(place) for place in composed.hydra.runtime.choices]
    plain = {place for place in chosen if "@" not in place} | set(map(str, composed))
    placed = {place.partition("@")[0]: place for place in chosen if "@" in place}
    return {group if group in plain else placed[group]: options for group, options in groups().items()
            if group in plain or group in placed}  # fmt: skip
