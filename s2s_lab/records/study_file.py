"""study.yaml: a paper's table as a file, read and checked, its rows multiplied out."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s2s_lab.faults import RequestError
from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.durable import read_text
from s2s_lab.records.nearest import one_of
from s2s_lab.records.plain_yaml import read_yaml
from s2s_lab.records.shape import Each, Exactly, Maybe, check_shape
from s2s_lab.records.study_claims import IDENTIFIER, check_claims
from s2s_lab.records.study_companions import check_names, rows_named, with_full_names, with_rows
from s2s_lab.records.study_rows import Row, check_choices, expand, row_names

FILE = "study.yaml"
STUDIES = "studies/"
"""What the names of studies' experiments begin with, which nobody chooses."""
KEYS = ("title", "citation", "source", "about", "seeds", "base", "evaluations", "budget", "rows", "claims")
BLOCK_KEYS = ("title", "set", "grid", "paired", "without", "seeds", "evaluations", "needs", "priority")
BUDGET_KEYS = ("minutes_per_job", "cores", "note")
ANY = (object, bool)
SHAPE = Exactly(
    title=str,
    seeds=[int],
    rows=Each(Maybe(title=str, set=Each(ANY), grid=Each(list), paired=[Each(ANY)], without=[Each(ANY)],
                    seeds=[int], evaluations=[str], needs=str, priority=int)),
    evaluations=Each(Each(ANY)),
    others=Maybe(citation=str, source=str, about=str, base=Each(ANY), claims=Each(ANY),
                 budget=Maybe(minutes_per_job=(int, float), cores=int, note=str)),
)  # fmt: skip
OF_THE_STUDY = ("seed", "name", "experiment_name", "launch", "resume", "accept_changed_data", "paths", "hydra")
OF_THE_MODEL = (
    "attention", "bridge", "cell", "decoder", "embedding", "encoder", "initialization", "objective", "output",
)  # fmt: skip
"""The groups that an option of `model` chooses from."""
OF_THE_RUN = ("runs", "paths", "hydra", "num_threads", "batches_at_once")
KEY = re.compile(r"[A-Za-z_][\w/]*(@[A-Za-z_][\w.]*)?(\.\w+)*")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DEFAULT_PRIORITY = 10
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Study:
    """A study file.

    Attributes:
        path: study.yaml.
        title: of the paper or the comparison.
        citation: authors, year, venue; may be empty.
        source: where the paper is read; may be empty.
        about: Markdown on what our recipe does differently; may be empty.
        seeds: of rows that have none of their own.
        evaluations: name -> words of conf/evaluate.yaml, with names of rows where those name runs; the first is the
            default of claims.
        minutes_per_job: the budget of one training; None for none.
        cores: that the budget is made for; None where it does not say.
        note: on the budget; may be empty.
        rows: all rows, by block, in the file's order.
        claims: identifier -> claim, complete (see study_claims).
    """

    path: Path
    title: str
    citation: str
    source: str
    about: str
    seeds: tuple[int, ...]
    evaluations: dict[str, dict[str, Any]]
    minutes_per_job: float | None
    cores: int | None
    note: str
    rows: tuple[Row, ...]
    claims: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.path.parent.name

    @property
    def place(self) -> str:
        """The last two folders of its path, as its commands are given it from a clone: experiments/NAME."""
        return "/".join(self.path.resolve().parent.parts[-2:])

    @property
    def experiment(self) -> str:
        """The folder of its runs, below paths.outputs."""
        return f"{STUDIES}{self.name}"

    @property
    def size(self) -> int:
        """How many trainings it asks for, done ones and open rows included."""
        return sum(len(row.seeds) for row in self.rows)

    @property
    def blocks(self) -> dict[str, list[Row]]:
        """The rows of each block."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.block, []).append(row)
        return found

    def rows_of(self, name: str) -> list[Row]:
        """Give the rows that a name stands for: a row, or all of a block.

        Raises:
            RequestError: if there is none, with the nearest.
        """
        known = {**{row.name: [row] for row in self.rows}, **self.blocks}
        return known[one_of(name, known, f"{self.path}: {name}", "a row or block of this study")]

    def words(self, row: Row, seed: int) -> dict[str, Any]:
        """Give all that the study says of one training, apart from its labels."""
        return {**self._words(row), "seed": seed}

    def definition(self, row: Row, seed: int) -> str:
        """Hash what the study says of one training, so that a result is known again where no hash can be had."""
        return configuration_hash(self.words(row, seed))

    def evaluation_definition(self, name: str) -> str:
        """Hash what the study says of one evaluation, and of the rows that it names."""
        rows = {row.name: row for row in self.rows}
        return configuration_hash(with_rows(self.evaluations[name], lambda other: self._words(rows[other])))

    def named_by(self, evaluation: str) -> list[Row]:
        """Give the rows that an evaluation names."""
        names = rows_named(self.evaluations[evaluation])
        return [row for row in self.rows if row.name in names]

    def _words(self, row: Row) -> dict[str, Any]:
        budget = {} if self.minutes_per_job is None else {"trainer.max_minutes": self.minutes_per_job}
        return {**row.words, **budget}


def read_study(path: Path | str) -> Study:
    """Read a study.

    Args:
        path: study.yaml, or the folder that holds it.

    Raises:
        RequestError: one line that names the file, the place in it, and the nearest known key.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    file = file if file.parent.name.strip(".") else file.resolve()
    found = read_yaml(file)
    if not isinstance(found, Mapping):
        raise RequestError(f"{file}: expected a mapping with {', '.join(KEYS[:3])}, ..., found {type(found).__name__}")
    if not NAME.fullmatch(file.parent.name):
        raise RequestError(f"{file}: its folder is the study's name; letters, digits and ._- alone are expected")
    _check_keys_once(file)
    return _study({key: value for key, value in found.items() if value is not None}, file)


def _study(found: Mapping[str, Any], file: Path) -> Study:
    for key in found:
        one_of(key, KEYS, f"{file}: {key}", "a key of a study")
    check_shape(found, SHAPE, str(file))
    budget = found.get("budget") or {}
    for key in budget:
        one_of(key, BUDGET_KEYS, f"{file}: budget.{key}", "a key of a budget")
    for key in ("minutes_per_job", "cores"):
        if budget.get(key) is not None and not 0 < budget[key] < math.inf:
            raise RequestError(f"{file}: budget.{key} is {budget[key]}, expected a number above 0")
    evaluations = _evaluations(found["evaluations"], file)
    seeds = _seeds(found["seeds"], f"{file}: seeds")
    base = _words(found.get("base") or {}, f"{file}: base", OF_THE_STUDY)
    if "trainer.max_minutes" in base and budget.get("minutes_per_job") is not None:
        raise RequestError(f"{file}: base.trainer.max_minutes is what budget.minutes_per_job says; write one of them")
    rows: list[Row] = []
    for name, block in found["rows"].items():
        rows += _block(name, block, base, seeds, evaluations, f"{file}: rows.{name}")
    if not rows:
        raise RequestError(f"{file}: rows is empty, expected at least one")
    for row in rows if budget.get("minutes_per_job") is not None else ():
        if "trainer.max_minutes" in row.words:
            raise RequestError(f"{file}: rows.{row.name}: trainer.max_minutes is what budget.minutes_per_job says")
    evaluations = with_full_names(evaluations, rows, str(file))
    known = {row.name: [(row.name, row.evaluations)] for row in rows}
    for name in found["rows"]:
        known[name] = [(row.name, row.evaluations) for row in rows if row.block == name]
    return Study(
        path=file,
        title=_line(found["title"]),
        citation=_line(found.get("citation", "")),
        source=_line(found.get("source", "")),
        about=found.get("about", "").strip(),
        seeds=seeds,
        evaluations=evaluations,
        minutes_per_job=budget.get("minutes_per_job"),
        cores=budget.get("cores"),
        note=_line(budget.get("note") or ""),
        rows=tuple(rows),
        claims=check_claims(found.get("claims") or {}, known, list(evaluations), str(file)),
    )


def _block(
    name: str, block: Mapping[str, Any], base: dict[str, Any], seeds: tuple[int, ...],
    evaluations: Mapping[str, Mapping[str, Any]], place: str,
) -> list[Row]:  # fmt: skip
    if not IDENTIFIER.fullmatch(name):
        raise RequestError(f"{place}: a block's name has letters a-z, digits and _ alone")
    for key in block:
        one_of(key, BLOCK_KEYS, f"{place}.{key}", "a key of a block")
    own = _words(block.get("set") or {}, f"{place}.set", OF_THE_STUDY)
    grid, paired, without = block.get("grid") or {}, block.get("paired") or [], block.get("without") or []
    _check_grid(grid, own, f"{place}.grid")
    _check_paired(paired, {**own, **grid}, f"{place}.paired")
    for number, excluded in enumerate(without):
        if not excluded:
            raise RequestError(f"{place}.without[{number}] is empty, expected what to leave out")
        check_choices(excluded, [*grid, *(paired[0] if paired else ())], f"{place}.without[{number}]")
    chosen = _evaluation_names(block.get("evaluations"), evaluations, f"{place}.evaluations")
    combinations = expand(grid, paired, without, place)
    _check_model({**own, **grid, **(paired[0] if paired else {})}, base, place)
    names = row_names(name, combinations, place)
    return [
        Row(
            name=label,
            block=name,
            title=_line(block.get("title") or name),
            words={**base, **own, **choices},
            choices=choices,
            seeds=_seeds(block["seeds"], f"{place}.seeds") if block.get("seeds") is not None else seeds,
            evaluations=chosen,
            needs=_line(block["needs"]) if block.get("needs") is not None else None,
            priority=DEFAULT_PRIORITY if block.get("priority") is None else block["priority"],
        )
        for label, choices in zip(names, combinations, strict=True)
    ]


def _check_model(own: Mapping[str, Any], base: Mapping[str, Any], place: str) -> None:
    replaced = [group for group in OF_THE_MODEL if group in base and group not in own] if "model" in own else []
    if replaced:
        parts = " and ".join(replaced)
        raise RequestError(
            f"{place} chooses a model, whose {parts} base would replace; choose {parts} here too, or not in base"
        )


def _check_grid(grid: Mapping[str, Any], own: Mapping[str, Any], place: str) -> None:
    for key, values in grid.items():
        if not values:
            raise RequestError(f"{place}.{key} is empty, expected a list of values")
        for value in values:
            _words({key: value}, place, OF_THE_STUDY)
    _check_said_once(grid, own, place)


def _check_paired(paired: Sequence[Mapping[str, Any]], others: Mapping[str, Any], place: str) -> None:
    for number, choice in enumerate(paired):
        _words(choice, f"{place}[{number}]", OF_THE_STUDY)
        _check_said_once(choice, others, f"{place}[{number}]")
        if not choice or set(choice) != set(paired[0]):
            first = ", ".join(paired[0]) or "at least one key"
            raise RequestError(
                f"{place}[{number}] says {', '.join(choice) or 'nothing'}, expected {first}, as [0] does"
            )


def _check_said_once(chosen: Mapping[str, Any], others: Mapping[str, Any], place: str) -> None:
    for key in chosen:
        if key in others:
            raise RequestError(f"{place}.{key}: the block says it twice")


def _evaluations(found: Mapping[str, Any], file: Path) -> dict[str, dict[str, Any]]:
    if not found:
        raise RequestError(f"{file}: evaluations is empty, expected at least one, e.g. greedy: {{decoding: greedy}}")
    for name in found:
        if not IDENTIFIER.fullmatch(name):
            raise RequestError(f"{file}: evaluations.{name}: a name has letters a-z, digits and _ alone")
    for name, words in found.items():
        check_names(words, f"{file}: evaluations.{name}")
    return {name: _words(words, f"{file}: evaluations.{name}", OF_THE_RUN) for name, words in found.items()}


def _evaluation_names(chosen: Any, known: Mapping[str, Mapping[str, Any]], place: str) -> tuple[str, ...]:
    if chosen is None:
        alone = tuple(name for name, words in known.items() if not rows_named(words))
        if not alone:
            raise RequestError(
                f"{place} is missing, and all evaluations name rows: a row gets only those that it lists"
            )
        return alone
    for name in chosen:
        one_of(name, known, f"{place}: {name}", "an evaluation of this study")
    if not chosen or len(set(chosen)) < len(chosen):
        raise RequestError(f"{place} is {chosen}, expected different names, at least one")
    return tuple(name for name in known if name in chosen)


def _seeds(found: Sequence[int], place: str) -> tuple[int, ...]:
    if not found or len(set(found)) < len(found):
        raise RequestError(f"{place} is {list(found)}, expected different numbers, at least one")
    for seed in found:
        if not 0 <= seed <= MOST_SEED:
            raise RequestError(f"{place}: {seed} is no seed, expected 0 to {MOST_SEED}")
    return tuple(found)


def _words(found: Mapping[str, Any], place: str, reserved: Sequence[str]) -> dict[str, Any]:
    """Check keys and values that become words of a command line."""
    for key, value in found.items():
        if not KEY.fullmatch(key):
            raise RequestError(f"{place}: {key!r} is no key or group of a configuration, e.g. model or encoder.dropout")
        if key.split(".")[0].split("/")[0] in reserved:
            raise RequestError(f"{place}.{key} is the study's own to set; leave it out")
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", value):
            raise RequestError(f"{place}.{key} is {value}, which is text to YAML; write {float(value)!r}")
        if isinstance(value, str) and any(character in value for character in "\n\r\0"):
            raise RequestError(f"{place}.{key} has a line break, expected one line")
        if isinstance(value, float) and not math.isfinite(value):
            raise RequestError(f"{place}.{key} is {value}, expected a finite number")
    return dict(found)


def _line(text: str) -> str:
    return " ".join(text.split())


def _check_keys_once(file: Path) -> None:
    """Refuse a key that stands twice in one mapping, of which YAML would take the last in silence."""
    waiting: list[yaml.Node | None] = [yaml.compose(read_text(file), yaml.SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen and key.value != "<<":
                    raise RequestError(f"{file}, line {key.start_mark.line + 1}: {key.value} stands here twice")
                seen.add(str(key.value))
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
