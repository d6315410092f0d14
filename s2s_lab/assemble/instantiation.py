"""Builds objects from `_target_` nodes, under an allow-list, after checking every key against the target's signature.

A configuration file from somebody else must not be able to run code: only public classes and functions of the rooms
that hold parts, of `torch.optim` and of the packages named in the environment variable S2S_LAB_TRUST are built (other
rooms write files and start processes), each at the places that are made for it, and the object reached by a path must
be the one that is defined there (`torch.optim.adam.torch.load` is refused). Interpolations are refused too: they could
hide a node from the check.
"""

import difflib
import importlib
import inspect
import os
import re
import reprlib
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from s2s_lab.faults import RequestError

ALLOWED_PACKAGES = (
    "s2s_lab.models", "s2s_lab.decoding", "s2s_lab.data.corpora", "s2s_lab.data.tokenizers", "s2s_lab.metrics",
    "s2s_lab.training", "torch.optim",
)  # fmt: skip
ROOMS = {
    "data": ("s2s_lab.data.corpora",),
    "tokenizer": ("s2s_lab.data.tokenizers",),
    "source_tokenizer": ("s2s_lab.data.tokenizers",),
    "target_tokenizer": ("s2s_lab.data.tokenizers",),
    "decoding": ("s2s_lab.decoding", "s2s_lab.metrics"),
    "constraint": ("s2s_lab.decoding.constraints",),
    "metrics": ("s2s_lab.metrics",),
    "optimizer": ("torch.optim", "s2s_lab.training.optimizers"),
    "logger": ("s2s_lab.training.loggers",),
    "callbacks": ("s2s_lab.training.callbacks",),
    **dict.fromkeys(("objective", "learning_rate", "teacher_forcing"), ("s2s_lab.training",)),
    **dict.fromkeys(
        ("cell", "embedding", "encoder", "bridge", "attention", "decoder", "output", "initialization"),
        ("s2s_lab.models",),
    ),
    **dict.fromkeys(("transition", "cell_dropout"), ("s2s_lab.models.cells",)),
    "sources": ("s2s_lab.models.encoders",),
}
"""Packages that serve each section of a configuration, by its first key; another section may use all of them."""

RESERVED_KEYS = ("_target_", "_partial_", "_convert_", "_recursive_")
RESERVED_VALUES = {"_partial_": (False, True), "_convert_": ("all",), "_recursive_": (True,)}
MOST_OF_AN_ERROR = 300  # characters of another library's message that are shown
SCALARS = (bool, int, float, str, type(None))


def trusted_packages(place: str = "") -> tuple[str, ...]:
    """Names of the packages whose classes and functions may be built at a place of the configuration."""
    own = tuple(name.strip() for name in os.environ.get("S2S_LAB_TRUST", "").split(",") if name.strip())
    return ROOMS.get(re.split(r"[.\[]", place, maxsplit=1)[0], ALLOWED_PACKAGES) + own


def locate(path: Any, place: str) -> Any:
    """Gives the class or function at a dotted path, if it may be built.

    Args:
        path: the `_target_` value.
        place: the dotted place of the node in the configuration, for the message.

    Raises:
        RequestError: if the path is outside the allow-list, cannot be found, or leads elsewhere than it says.
    """
    refused = f"{place}._target_={path!r} may not be built"
    if not isinstance(path, str):
        raise RequestError(f"{refused}: a dotted path is expected")
    packages = trusted_packages(place)
    if not any(path.startswith(package + ".") for package in packages):
        allowed = f"only {', '.join(packages)} {'is' if len(packages) == 1 else 'are'} allowed"
        raise RequestError(f"{refused}: {allowed} there (S2S_LAB_TRUST=PACKAGE adds one)")
    if not all(part.isidentifier() for part in path.split(".")):
        raise RequestError(f"{refused}: a dotted path is expected")
    if any(part.startswith("_") for part in path.split(".")):
        raise RequestError(f"{refused}: it is private")
    module_name, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except ModuleNotFoundError as error:
        raise RequestError(f"{refused}: there is no module {error.name!r}") from error
    except AttributeError as error:
        raise RequestError(f"{refused}: module {module_name!r} has no {name!r}{_nearest(name, [])}") from error
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        raise RequestError(f"{refused}: it is neither a class nor a function")
    if f"{found.__module__}.{found.__qualname__}" != path:
        raise RequestError(f"{refused}: that object is {found.__module__}.{found.__qualname__}")
    return found


def target_nodes(node: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields (dotted place, node) for every mapping that has a `_target_`, outer nodes first."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield place, node
        for key, value in node.items():
            yield from target_nodes(value, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list | tuple):
        for position, value in enumerate(node):
            yield from target_nodes(value, f"{place}[{position}]")


def check_targets(configuration: Mapping[str, Any]) -> None:
    """Checks every `_target_` node: allowed, known keys, scalar values of the annotated types, no interpolations.

    Args:
        configuration: plain containers, resolved.

    Raises:
        RequestError: naming the place, the value and what was expected.
    """
    with refusing("the configuration is nested too deeply"):
        nodes = [(place, node, locate(node["_target_"], place)) for place, node in target_nodes(configuration)]
    for place, node, target in nodes:
        for key, expected in RESERVED_VALUES.items():
            if node.get(key, expected[0]) not in expected:
                raise RequestError(f"{place}.{key}={node[key]!r}: one of {', '.join(map(str, expected))} is expected")
        check_keys(target, node, place)
        for value in _texts(node):
            if "${" in value:  # instantiate would resolve it, maybe to a node that nobody has checked
                raise RequestError(f"{place}: {value!r} is an interpolation; a resolved value is expected")


def _texts(node: Any) -> Iterator[str]:
    """Yields every string in nested containers, keys included."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from (*_texts(key), *_texts(value))
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _texts(value)


def check_keys(target: Any, node: Mapping[str, Any], place: str) -> None:
    """Checks the keys and scalar values of a node against the signature of its target.

    Args:
        target: class or function.
        node: its configuration; keys in RESERVED_KEYS are not arguments.
        place: dotted place of the node, for messages; empty at the root.

    Raises:
        RequestError: for an unknown key, a missing one (unless `_partial_`), or a scalar of the wrong type.
    """
    with refusing(f"{place}: {target.__qualname__} cannot be built from a configuration"):
        known = inspect.signature(target).parameters
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    given = {key: value for key, value in node.items() if key not in RESERVED_KEYS}
    for key, value in given.items():
        where = f"{place}.{key}" if place else str(key)
        if key not in known:
            raise RequestError(f"unknown key {where}{_nearest(str(key), list(known), place)}")
        if key in hints:
            check_type(value, hints[key], where)
    if not node.get("_partial_", False):
        for name, parameter in known.items():
            required = parameter.default is inspect.Parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
            if required and name not in given:
                raise RequestError(f"{place} lacks the key {name!r} that {target.__qualname__} needs")


def check_type(value: Any, hint: Any, where: str) -> None:
    """Checks a value against an annotation made of scalars; other annotations pass.

    Raises:
        RequestError: naming the place, the value and the types expected.
    """
    accepted = _scalar_types(hint)
    if accepted is None:
        return
    literal = [item for item in accepted if not isinstance(item, type)]
    if isinstance(value, str | int) and value in literal:
        return
    types = tuple(item for item in accepted if isinstance(item, type))
    fits = isinstance(value, types) or (float in types and isinstance(value, int))
    if not fits or (isinstance(value, bool) and bool not in types):
        names = [item.__name__ if isinstance(item, type) else repr(item) for item in accepted]
        expected = " or ".join("null" if name == "NoneType" else name for name in names)
        near = _nearest(str(value), [str(item) for item in literal])
        raise RequestError(f"{where}={reprlib.repr(value)}: {expected} is expected{near}")


def _scalar_types(hint: Any) -> list[Any] | None:
    """The scalar types and literal values that an annotation admits, or None where it admits anything else too."""
    if hint in SCALARS:
        return [hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return list(arguments)
    if origin in (typing.Union, types.UnionType):
        parts = [_scalar_types(argument) for argument in arguments]
        if any(part is None for part in parts):
            return None
        return [item for part in parts if part is not None for item in part]
    return None


def _nearest(name: str, known: list[str], place: str = "") -> str:
    """A suggestion `; did you mean 'x'?` with the nearest known name, or the list of known names where it is short."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {f'{place}.' if place else ''}{close[0]}?"
    return f" (known there: {', '.join(sorted(known))})" if known else ""


@contextmanager
def refusing(place: str) -> Iterator[None]:
    """Turns what a constructor says of its values into one line that begins with the place.

    Raises:
        RequestError: in place of any other error but those of memory, files and missing packages.
    """
    try:
        yield
    except (RequestError, MemoryError, OSError, ImportError):
        raise
    except Exception as error:
        line = " ".join(str(error).split()) or "no reason given"
        raise RequestError(f"{place}: {line[:MOST_OF_AN_ERROR]} ({type(error).__name__})") from error


def check_kind(node: Any, kind: type, place: str) -> None:
    """Checks that a node builds what belongs at its place; a function of a trusted package is taken at its word.

    Raises:
        RequestError: if its target is a class of another kind, or it has none.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise RequestError(f"{place}={reprlib.repr(node)}: a section with a _target_ is expected")
    target = locate(node["_target_"], place)
    own = any(str(node["_target_"]).startswith(f"{package}.") for package in ALLOWED_PACKAGES)
    if not issubclass(target, kind) if inspect.isclass(target) else own:
        raise RequestError(f"{place}._target_={node['_target_']!r}: a {kind.__name__} is expected")


def build(node: Mapping[str, Any], place: str, /, **arguments: Any) -> Any:
    """Builds a checked node, nested nodes included; arguments given here win over the node's.

    Args:
        node: plain containers with a `_target_`; `_partial_` is taken away when arguments are given.
        place: dotted place of the node in the configuration, for messages.
        **arguments: what only its neighbours know, such as sizes.

    Returns:
        The object, or a factory where the node says `_partial_: true` and no arguments are given.

    Raises:
        RequestError: if the node may not be built, its values are refused, or its parts do not fit.
        MemoryError, OSError, ImportError: whatever the class or function itself raises of these.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    if not isinstance(node, Mapping) or "_target_" not in node:
        raise RequestError(f"{place}={reprlib.repr(node)}: a section with a _target_ is expected")
    check_targets({place: node})
    with refusing(place):
        try:
            factory = instantiate(dict(node), _convert_="all")
        except InstantiationException as error:
            raise error.__cause__ or error from None
        return factory(**arguments) if node.get("_partial_", False) and arguments else factory
