"""What single sentences demand of their outputs, and the texts that constraints name: from files, in ids."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from s2s_lab.assemble.instantiation import locate
from s2s_lab.data.vocabulary import EOS, UNK
from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.constraints.automaton import Arc, Automaton, trie
from s2s_lab.decoding.constraints.forbidden import Forbidden
from s2s_lab.decoding.task import Demands, Phrase
from s2s_lab.faults import RequestError
from s2s_lab.inference.text import TextSide

FILES = {
    "targets_file": "targets",
    "prefixes_file": "prefixes",
    "required_file": "required",
    "forbidden_file": "forbidden",
}
"""The demand that each key's file holds, one line for each sentence."""


class DemandFiles:
    """Reads the demand files of the settings along with the sentences; nothing is read before it is asked for.

    Args:
        settings: plain conf/evaluate.yaml or conf/translate.yaml.
        target: turns texts into ids.
    """

    def __init__(self, settings: Mapping[str, Any], target: TextSide) -> None:
        self._paths = {key: Path(settings[key]) for key in FILES if settings.get(key) is not None}
        self._lines = {key: _lines(key, path) for key, path in self._paths.items()}
        self._target, self._read = target, 0

    def next(self, count: int) -> Demands | None:
        """Reads the demands of the next sentences; None where no file is named.

        Raises:
            RequestError: a file cannot be read or has too few lines, or a phrase cannot be an output's.
        """
        found: dict[str, Any] = {}
        for key, lines in self._lines.items():
            told = list(islice(lines, count))
            if len(told) < count:
                raise RequestError(
                    f"{self._paths[key]}: {self._read + len(told)} lines, expected one for each sentence ({key})"
                )
            places = (f"{self._paths[key]}, line {self._read + number}" for number in range(1, count + 1))
            found[FILES[key]] = [self._demand(key, line, place) for line, place in zip(told, places, strict=True)]
        self._read += count
        return Demands(**found) if found else None

    def end(self) -> None:
        """Looks that no line is left after the last sentence.

        Raises:
            RequestError: a file has more lines than there are sentences.
        """
        for key, lines in self._lines.items():
            if next(lines, None) is not None:
                more = self._read + 1 + sum(1 for _ in lines)
                raise RequestError(f"{self._paths[key]}: {more} lines, expected {self._read}, one for each sentence")

    def _demand(self, key: str, line: str, place: str) -> Phrase | tuple[Phrase, ...]:
        if key == "targets_file":
            return tuple(self._target.ids(line)[:-1])
        phrases = line.split("\t") if line.strip() else []
        if key != "prefixes_file":
            return tuple(phrase_ids(self._target, phrase, place) for phrase in phrases)
        if len(phrases) > 1:
            raise RequestError(f"{place}: {len(phrases)} texts separated by tabs, expected one beginning of an output")
        return phrase_ids(self._target, line, place) if phrases else ()


def demands_of(
    settings: Mapping[str, Any],
    target: TextSide,
    strategy: DecodingStrategy,
    references: Sequence[Sequence[int]],
) -> Demands | None:
    """Reads what an evaluation asks of its outputs.

    Args:
        settings: plain conf/evaluate.yaml.
        target: turns texts into ids.
        strategy: gets the references as targets where it can meet these.
        references: ids of each sentence's first reference, eos at the end.

    Raises:
        RequestError: a file cannot be used, or a shortlist is asked for too.
    """
    files = DemandFiles(settings, target)
    demands = files.next(len(references))
    files.end()
    if "targets" in strategy.meets:
        asked = {} if demands is None else {name: getattr(demands, name) for name in demands.named()}
        demands = Demands(**{**asked, "targets": [tuple(ids[:-1]) for ids in references]})
    check_no_shortlist(settings, demands, strategy)
    return demands


def digests_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Gives the beginning of the SHA-256 of each file that says what outputs hold, by its key.

    Raises:
        RequestError: a file cannot be read.
    """
    named = {key: settings[key] for key in FILES if settings.get(key) is not None}
    for name, node in (settings.get("constraint") or {}).items():
        if node.get("file"):
            named[f"constraint.{name}.file"] = node["file"]
    return {key: _digest(key, Path(path)) for key, path in named.items()}


def check_no_shortlist(settings: Mapping[str, Any], demands: Demands | None, strategy: DecodingStrategy) -> None:
    """Refuses a shortlist where ids of the whole vocabulary are asked for, as it numbers the words anew.

    Raises:
        RequestError: there are both.
    """
    if not settings["shortlist"]:
        return
    asked = [] if demands is None else list(demands.named())
    asked += [each.signature().partition(":")[0] for each in strategy.constraints if isinstance(each, WITH_IDS)]
    if asked:
        raise RequestError(f"shortlist=true numbers the target's words anew, expected no {', '.join(asked)} with it")


WITH_IDS = (Forbidden, Automaton)
"""Constraints that know ids of the whole vocabulary."""


def constraint_ids(constraint: Mapping[str, Any] | None, target: TextSide) -> dict[str, dict[str, Any]]:
    """Reads the texts and files that constraints name.

    Args:
        constraint: nodes of constraints by name, or None.
        target: turns texts into ids.

    Returns:
        By the constraint's name further arguments that build it.

    Raises:
        RequestError: a file cannot be read, or a text cannot be an output's.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, node in (constraint or {}).items():
        built, place = locate(node.get("_target_"), f"constraint.{name}"), f"constraint.{name}.phrases"
        if built is Forbidden and isinstance(node.get("phrases"), list):
            texts = [text for text in node["phrases"] if isinstance(text, str)]
            found[name] = {"ids": [phrase_ids(target, text, place) for text in texts]}
        elif built is Automaton and node.get("file") is not None:
            key, path = f"constraint.{name}.file", Path(node["file"])
            lines = list(_lines(key, path))
            arcs = _arcs(lines, path, target) if node.get("kind") == "arcs" else trie(_outputs(lines, path, target))
            found[name] = {"arcs": arcs, "ending": EOS}
    return found


def phrase_ids(target: TextSide, text: str, place: str) -> Phrase:
    """The ids of a phrase.

    Raises:
        RequestError: it has no token, or one that the model does not know.
    """
    tokens = target.tokenizer.tokenize(text)
    ids = target.vocabulary.encode(tokens)
    if not ids:
        raise RequestError(f"{place}: {text!r} is an empty phrase, expected words")
    if UNK in ids:
        unknown = tokens[ids.index(UNK)]
        raise RequestError(f"{place}: {text!r} holds {unknown!r}, expected words that the model's outputs can have")
    return tuple(ids)


def _outputs(lines: Sequence[str], path: Path, target: TextSide) -> Iterator[tuple[int, ...]]:
    for number, line in enumerate(lines, start=1):
        yield (*phrase_ids(target, line, f"{path}, line {number}"), EOS)


def _arcs(lines: Sequence[str], path: Path, target: TextSide) -> list[Arc]:
    """Arcs of an automaton in OpenFst's text format, its states numbered by their first appearance."""
    names: dict[str, int] = {}
    arcs: list[Arc] = []
    accepting: list[int] = []
    for number, line in enumerate(lines, start=1):
        parts, place = line.split(), f"{path}, line {number}"
        if not parts:
            continue
        if len(parts) not in (1, 3):
            raise RequestError(
                f"{place}: {line!r}, expected `state next-state token`, or `state` where outputs may end"
            )
        states = [names.setdefault(name, len(names)) for name in parts[:2]]
        if len(parts) == 1:
            accepting.append(states[0])
            continue
        (symbol,) = target.vocabulary.encode(parts[2:])
        if symbol == UNK:
            raise RequestError(f"{place}: {parts[2]!r}, expected a token of the model's target vocabulary")
        arcs.append((states[0], symbol, states[1]))
    return arcs + [(state, EOS, len(names)) for state in accepting]


def _lines(key: str, path: Path) -> Iterator[str]:
    """Yields the lines of a file without their ends.

    Raises:
        RequestError: it cannot be read, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    yield raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
                except UnicodeDecodeError as error:
                    raise RequestError(f"{path}, line {number}: not valid UTF-8 ({error.reason})") from None
    except OSError as error:
        raise RequestError(f"{key}={path}: cannot be read ({error.strerror or error})") from error


def _digest(key: str, path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise RequestError(f"{key}={path}: cannot be read ({error.strerror or error})") from error
