"""From a study's results to measurements of its rows, and to the verdicts on its claims."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from s2s_lab.faults import RequestError
from s2s_lab.records.results import VERDICTS, Entry, results_path, statistics_of
from s2s_lab.records.study_file import Study
from s2s_lab.reports.numbers import unit_of

if TYPE_CHECKING:
    from s2s_lab.reports.claims import Measured

Jobs = Sequence[Entry]


def measurements(study: Study, jobs: Jobs, *, statistics_for: Sequence[str] = ()) -> "list[Measured]":
    """Gather the scores of each row under each evaluation, over its seeds.

    Args:
        study: the study.
        jobs: entries of its results.
        statistics_for: names of the scores whose sentence statistics are unpacked too.

    Returns:
        In the order of rows, evaluations and scores.

    Raises:
        RequestError: if seeds of a row differ in a score's signature, the split or the data, naming the difference.
    """
    from s2s_lab.reports.claims import Measured

    path, found = results_path(study), []
    for row in study.rows:
        own = [entry for entry in jobs if entry["row"] == row.name]
        for evaluation in row.evaluations:
            wanted = study.evaluation_definition(evaluation)
            entries = [e for e in own if e["evaluations"].get(evaluation, {}).get("definition") == wanted]
            for fact, what in (("split", "splits"), ("data_fingerprint", "data"), ("signature", "decodings")):
                _check_same(study, row.name, evaluation, entries, fact, what)
            for name in _score_names(entries, evaluation):
                scores = [_score(entry, evaluation, name) for entry in entries]
                known = [(entry, score) for entry, score in zip(entries, scores, strict=True) if score is not None]
                signature = _one_signature(study, row.name, evaluation, name, known)
                factor = unit_of(signature).factor
                arrays = None
                if name in statistics_for:
                    each = [statistics_of(entry, evaluation, name, path) for entry, _ in known]
                    arrays = tuple(array for array in each if array is not None)
                    arrays = arrays if len(arrays) == len(known) else None
                first = known[0][0]["evaluations"][evaluation]
                found.append(
                    Measured(
                        row=row.name,
                        evaluation=evaluation,
                        score=name,
                        values=tuple(score["value"] * factor for _, score in known),
                        seeds=tuple(entry["seed"] for entry, _ in known),
                        statistics=arrays,
                        signature=signature,
                        split=first["split"],
                        data_fingerprint=first["data_fingerprint"],
                        higher_is_better=known[0][1]["higher_is_better"],
                        lost=tuple(e["seed"] for e, score in zip(entries, scores, strict=True) if score is None),
                    )
                )
    return found


def verdicts(study: Study, jobs: Jobs) -> list[dict[str, Any]]:
    """Give the verdict on every claim, as results.json keeps it: the fields of reports.claims.Verdict.

    Raises:
        RequestError: if a claim compares what cannot be compared; names the study, the claim and the difference.
    """
    from s2s_lab.reports.claims import judge

    statistics_for = [claim["score"] for claim in study.claims.values() if claim["kind"] == "order"]
    measured = measurements(study, jobs, statistics_for=statistics_for)
    try:
        found = judge(study.claims, measured, rows=[row.name for row in study.rows])
    except RequestError as error:
        raise RequestError(f"{study.path}: {error}") from None
    return [dataclasses.asdict(each) for each in found]


def counts(claims: Sequence[Mapping[str, Any]]) -> str:
    """Count verdicts in words: `7 claims: 3 reproduced, 1 not reproduced, 3 open`."""
    parts = [f"{number} {verdict}" for verdict in VERDICTS if (number := sum(c["verdict"] == verdict for c in claims))]
    return f"{len(claims)} claim{'s' * (len(claims) != 1)}" + (f": {', '.join(parts)}" if parts else "")


def _score_names(entries: Jobs, evaluation: str) -> list[str]:
    names = [score["name"] for entry in entries for score in entry["evaluations"][evaluation]["scores"]]
    return [name for name in dict.fromkeys(names) if any(_score(entry, evaluation, name) for entry in entries)]


def _score(entry: Entry, evaluation: str, name: str) -> dict[str, Any] | None:
    for score in entry["evaluations"][evaluation]["scores"]:
        if score["name"] == name and score["value"] is not None and math.isfinite(score["value"]):
            return score
    return None


def _check_same(study: Study, row: str, evaluation: str, entries: Jobs, fact: str, what: str) -> None:
    for entry in entries[1:]:
        ours, theirs = (each["evaluations"][evaluation][fact] for each in (entries[0], entry))
        if ours != theirs:
            raise RequestError(
                f"{results_path(study)}: {row}: seeds {entries[0]['seed']} and {entry['seed']} were evaluated "
                f"({evaluation}) with different {what} ({ours[:60]} and {theirs[:60]})"
            )


def _one_signature(
    study: Study, row: str, evaluation: str, name: str, known: Sequence[tuple[Entry, dict[str, Any]]]
) -> str:
    first, score = known[0]
    for entry, other in known[1:]:
        if other["signature"] != score["signature"]:
            raise RequestError(
                f"{results_path(study)}: {row}: {name} ({evaluation}) of seeds {first['seed']} and {entry['seed']} "
                f"have different signatures ({score['signature'][:80]} and {other['signature'][:80]})"
            )
    return score["signature"]
