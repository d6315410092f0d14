"""What is wrong with the words of a command line, in one line with the nearest known key."""

import difflib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from s2s_lab.assemble.options import beside_hydra, conf_folder, groups, options_of
from s2s_lab.faults import RequestError

MOST_OF_AN_ERROR = 400  # characters of Hydra's message that are shown


@contextmanager
def one_line_errors(name: str, words: Sequence[str]) -> Iterator[None]:
    """Turns Hydra's and OmegaConf's errors of composing a job's words into one line with the nearest known key."""
    try:
        yield
    except RequestError:
        raise
    except Exception as error:  # a group set to null is a ValueError, a file that is no YAML a YAMLError, ...
        message = first_lines(error)
        missing = re.search(r"Key '([^']+)' is not in struct", _whole(error))
        path = re.search(r"Could not override '([^']+)'", _whole(error)) or re.search(r"full_key: (\S+)", _whole(error))
        if missing and path:
            known = _known_keys(name)
            within = missing[1] not in path[1].split(".")  # KEY={...} sets a section, which lacks one of the keys given
            key = f"{path[1]}.{missing[1]}" if within else path[1]
            hint = _chosen_without(key, words) if key in known else _suggest(key, known)
            raise RequestError(f"unknown key {key}{hint}") from error
        option = re.search(r"Could not find '([^']+)/([^'/]+)'", message)
        if option:
            raise RequestError(unknown_option(option[1], option[2])) from error
        group = re.search(r"No match in the defaults list for '([^']+)'|[Oo]verride '([^']+)'", message)
        if group:
            key = next(part for part in group.groups() if part)
            raise RequestError(f"unknown key {key}{_suggest(key, _known_keys(name))}") from error
        known_kind = isinstance(
            error, HydraException | OmegaConfBaseException | ValueError | YAMLError | RecursionError
        )
        told = message if known_kind else f"the configuration cannot be composed: {message} ({type(error).__name__})"
        raise RequestError(told) from error


def unknown_option(group: str, option: str) -> str:
    """Says that a group has no such option, or that there is no such group, with what is near."""
    known = options_of(group)
    if not known:
        return f"{group}={option}: there is no group {group!r}{_suggest(group, list(groups()))}"
    return f"{group}={option}: there is no such option{_suggest(option, known)} (known: {', '.join(known)})"


@functools.cache
def _known_keys(name: str) -> tuple[str, ...]:
    with beside_hydra(), initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose(name, return_hydra_config=True)
    container: Any = OmegaConf.to_container(composed)
    hydra = container.pop("hydra")
    plugins = {place: hydra[place] for place in ("launcher", "sweeper")}
    places = [str(place) for place in hydra["runtime"]["choices"] if "@" in str(place)]
    return (*_dotted(container), *_dotted(plugins, "hydra"), *groups(), *places)


def _dotted(node: Any, place: str = "") -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if str(key).startswith("_"):
                continue  # nothing that a user sets
            where = f"{place}.{key}" if place else str(key)
            yield where
            yield from _dotted(value, where)


def _suggest(key: str, known: Sequence[str]) -> str:
    close = [place for place in known if place.startswith(f"{key}@")]  # a group that is chosen for a place alone
    if key in known and not close:
        return ", which is a group of another command"
    close = close or difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if not close and "." in key:
        leaves = {place.rpartition(".")[2]: place for place in known}
        leaf = difflib.get_close_matches(key.rpartition(".")[2], list(leaves), n=1, cutoff=0.7)
        close = [leaves[leaf[0]]] if leaf else []
    return f"; did you mean {close[0]}?" if close else ""


def _chosen_without(key: str, words: Sequence[str]) -> str:
    """Says which option of a group has no such key, where another option of the group has it."""
    group = key.partition(".")[0]
    chosen = [word for word in words if word.startswith(f"{group}=")]
    return f": {chosen[-1] if chosen else f'the option chosen for {group}'} has no such key"


def _whole(error: BaseException) -> str:
    cause = f" {error.__cause__}" if error.__cause__ else ""
    return f"{error}{cause}"


def first_lines(error: BaseException) -> str:
    """The first two lines of an error as one, cut where they are long."""
    if isinstance(error, RecursionError):
        return "the configuration is nested too deeply, or an option includes itself"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines[:2])[:MOST_OF_AN_ERROR] if lines else type(error).__name__
