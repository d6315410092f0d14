"""Evaluations of a study that name other rows, whose runs decode or judge together with a row's own, seed by seed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.nearest import one_of
from s2s_lab.records.shape import Exactly, Maybe, check_shape
from s2s_lab.records.study_rows import Row

SHAPE = Maybe(together=[str], language_model=str, rerank=[Exactly(run=str)])
"""Words of conf/evaluate.yaml that name runs; in a study they name rows."""

Words = Mapping[str, Any]


def check_names(words: Words, place: str) -> None:
    """Check that the words of an evaluation which name rows hold names.

    Raises:
        RequestError: one line that names the place, the value and what was expected.
    """
    for key in words:
        word, _, rest = key.partition(".")
        if word in SHAPE and rest:
            raise RequestError(f"{place}.{key}: write {word} as a whole, with the names of rows in it")
    check_shape(words, SHAPE, place)


def rows_named(words: Words) -> tuple[str, ...]:
    """Give the rows that the words of an evaluation name, each once; none for most."""
    names = list(words.get("together") or [])
    if words.get("language_model") is not None:
        names.append(words["language_model"])
    names += [node["run"] for node in words.get("rerank") or []]
    return tuple(dict.fromkeys(names))


def with_rows(words: Words, stand_in: Callable[[str], Any]) -> dict[str, Any]:
    """Give the words of an evaluation with something else in place of each row that they name."""
    found = dict(words)
    if words.get("together"):
        found["together"] = [stand_in(name) for name in words["together"]]
    if words.get("language_model") is not None:
        found["language_model"] = stand_in(words["language_model"])
    if words.get("rerank"):
        found["rerank"] = [{**node, "run": stand_in(node["run"])} for node in words["rerank"]]
    return found


def with_full_names(evaluations: Mapping[str, Words], rows: Sequence[Row], place: str) -> dict[str, dict[str, Any]]:
    """Check what evaluations name against the rows of the study.

    Args:
        evaluations: name -> words, their names checked.
        rows: of the study.
        place: the file, for messages.

    Returns:
        The evaluations, with the row's name in place of that of a block with one row.

    Raises:
        RequestError: if a name is no row or that of a block with several; if no row lists the evaluation; or if a row
            that does would be its own companion or has a seed that the row named has not.
    """
    blocks: dict[str, list[Row]] = {}
    for row in rows:
        blocks.setdefault(row.block, []).append(row)
    known = {**{row.name: [row] for row in rows}, **blocks}
    found = {}
    for evaluation, words in evaluations.items():
        where, receivers = f"{place}: evaluations.{evaluation}", [row for row in rows if evaluation in row.evaluations]
        names: dict[str, str] = {}
        for name in rows_named(words):
            own = known[one_of(name, known, f"{where}: {name}", "a row or block of this study")]
            if len(own) > 1:
                shown = ", ".join(row.name for row in own[:3])
                raise RequestError(f"{where}: {name} is a block with {len(own)} rows, expected one of them: {shown}")
            names[name] = own[0].name
            _check_companion(own[0], receivers, where)
        found[evaluation] = with_rows(words, names.__getitem__)
    return found


def _check_companion(companion: Row, receivers: Sequence[Row], where: str) -> None:
    if not receivers:
        raise RequestError(
            f"{where} names the row {companion.name}, so that it belongs to rows that list it under `evaluations` "
            "alone, and none does"
        )
    for row in receivers:
        if row.name == companion.name:
            raise RequestError(
                f"{where}: the row {row.name} gets it and is named in it; it cannot be its own companion"
            )
        missing = [str(seed) for seed in row.seeds if seed not in companion.seeds]
        if missing:
            raise RequestError(
                f"{where}: the row {companion.name} has no seed {', '.join(missing)}, expected all those of "
                f"{row.name}, which gets the evaluation"
            )
