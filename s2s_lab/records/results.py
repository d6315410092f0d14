"""results.json of a study: what was measured, job by job, so that a clone without run folders knows it too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import write_json
from s2s_lab.records.evaluation import SCORE, Evaluation
from s2s_lab.records.nearest import one_of
from s2s_lab.records.packed_statistics import pack, unpack
from s2s_lab.records.record import read_record
from s2s_lab.records.recorded_evaluation import Asked, find_evaluation
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.records.shape import Each, Exactly, Maybe
from s2s_lab.records.study_file import Study

FILE = "results.json"
SCHEMA = 1
EVALUATION = Exactly(
    definition=str,
    split=str,
    signature=str,
    data_fingerprint=str,
    scores=[SCORE],
    others=Maybe(
        strategy=str, precision=str, sentences=int, sentences_per_second=(int, float), statistics=Each(Maybe())
    ),
)
ENTRY = Exactly(
    hash=str,
    row=str,
    seed=int,
    definition=str,
    evaluations=Each(EVALUATION),
    others=Maybe(
        label=str, commit=str, dirty=bool, versions=Each(str), started=str, monitor=str, measured_in=str,
        stopped_by=str, machine=Maybe(cpu=str, cores=int, memory_gb=(int, float)),
        under_trained=Maybe(flag=bool, reason=str),
        **dict.fromkeys(("seconds", "parameters", "steps", "total_steps"), (int, float)),
    ),
)  # fmt: skip
VERDICT = Exactly(claim=str, verdict=str, ours=str, others=Maybe(says=str, published=str, reason=str, source=str))
SHAPE = Exactly(study=str, jobs=[ENTRY], others=Maybe(former=[ENTRY], claims=[VERDICT]))
FORMER = "former"
"""Definition of an evaluation that the study means no more: it is kept, and counts no more."""
VERDICTS = ("reproduced", "not reproduced", "inconclusive", "open")
Entry = dict[str, Any]
"""One job as results.json has it: what ENTRY says."""


@dataclass(frozen=True)
class Slot:
    """One training that a study wants.

    Attributes:
        row: its row.
        seed: its seed.
        definition: hash of what the study says of it.
        hash: of the job; None where it cannot be had, e.g. because its corpus is not on this machine.
        evaluations: name -> hash of what the study says of it.
        signatures: name -> the strategy's signature, the same for all seeds, where it is known.
    """

    row: str
    seed: int
    definition: str
    hash: str | None
    evaluations: dict[str, str]
    signatures: dict[str, str] = field(default_factory=dict)

    def holds(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is this training: by the job's hash, where it is not known by the study's words."""
        return entry["definition"] == self.definition if self.hash is None else entry["hash"] == self.hash

    def measured(self, entry: Mapping[str, Any]) -> list[str]:
        """Names of the evaluations that an entry has as the study wants them."""
        known = [(name, entry["evaluations"].get(name)) for name in self.evaluations]
        return [name for name, found in known if found is not None and self.wants(name, found)]

    def wants(self, name: str, evaluation: Mapping[str, Any]) -> bool:
        """Whether an entry's evaluation is what the study means by a name: its words and what they stand for."""
        signature = self.signatures.get(name, evaluation["signature"])
        return (evaluation["definition"], evaluation["signature"]) == (self.evaluations.get(name), signature)

    def complete(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is this training with all its evaluations."""
        return self.holds(entry) and len(self.measured(entry)) == len(self.evaluations)


@dataclass(frozen=True)
class Results:
    """What a study has measured.

    Attributes:
        study: its name.
        jobs: entries of its trainings, in the order of its rows and seeds.
        former: entries that belong to no training of the study any more, because its file or the options have changed.
        claims: verdicts as last reported: claim, says, published, ours, verdict, reason, source.
    """

    study: str
    jobs: list[Entry] = field(default_factory=list)
    former: list[Entry] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)


def slots_of(
    study: Study, hashes: Mapping[tuple[str, int], str], signatures: Mapping[str, str] | None = None
) -> list[Slot]:
    """List the trainings of a study but those of rows that need what there is not yet.

    Args:
        study: the study.
        hashes: (row, seed) -> hash of the job, for those whose hash is known.
        signatures: name of an evaluation -> its strategy's signature, the same for all seeds, where it is known.
    """
    found = []
    for row in study.rows:
        if row.needs is not None:
            continue  # whatever its words compose to, it is not what the row means
        evaluations = {name: study.evaluation_definition(name) for name in row.evaluations}
        known = {name: signature for name, signature in (signatures or {}).items() if name in evaluations}
        for seed in row.seeds:
            key = hashes.get((row.name, seed))
            found.append(Slot(row.name, seed, study.definition(row, seed), key, evaluations, known))
    return found


def results_path(study: Study) -> Path:
    """Where a study's results lie: beside its file."""
    return study.path.parent / FILE


def read_results(study: Study) -> Results:
    """Read a study's results; empty where there are none yet.

    Raises:
        RequestError: if the file is damaged, of a newer schema, or another study's; one line.
    """
    path = results_path(study)
    if not path.exists():
        return Results(study.name)
    found = read_record(path, schema=SCHEMA, shape=SHAPE)
    for number, claim in enumerate(found.get("claims") or []):
        one_of(
            claim["verdict"], VERDICTS, f"{path}: claims[{number}]: verdict is {claim['verdict'][:40]!r}, which", "one"
        )
    if found["study"] != study.name:
        raise RequestError(f"{path}: these are the results of the study {found['study'][:80]!r}, not of {study.name}")
    return Results(study.name, found["jobs"], found.get("former") or [], found.get("claims") or [])


def read_elsewhere(study: Study, slots: Iterable[Slot]) -> list[Entry]:
    """Read what the studies beside this one have measured of its trainings: one of the same hash is the same training.

    Args:
        study: the study.
        slots: its trainings.

    Returns:
        Entries with all evaluations that the study wants, and `measured_in`: the name of the study that trained.

    Raises:
        RequestError: if a file of results is damaged or of a newer schema; one line.
    """
    wanted: dict[str, list[Slot]] = {}
    for slot in slots:
        if slot.hash is not None:
            wanted.setdefault(slot.hash, []).append(slot)
    if not wanted:
        return []
    own, found = results_path(study).resolve(), []
    for path in sorted(own.parent.parent.glob(f"*/{FILE}")):
        if path == own:
            continue
        other = read_record(path, schema=SCHEMA, shape=SHAPE)
        found += [
            {**entry, "measured_in": other["study"]}
            for entry in other["jobs"]
            if "measured_in" not in entry and any(slot.complete(entry) for slot in wanted.get(entry["hash"], ()))
        ]
    return found


def write_results(study: Study, results: Results) -> None:
    """Write a study's results durably; the same results give the same bytes."""
    facts = {"schema": SCHEMA, "study": results.study, "claims": results.claims, "jobs": results.jobs}
    write_json(results_path(study), {**facts, "former": results.former})


def merged(
    slots: Sequence[Slot],
    recorded: Results,
    found: Iterable[Entry],
    elsewhere: Iterable[Entry] = (),
    *,
    drop: bool = False,
) -> tuple[list[Entry], list[Entry]]:
    """Choose an entry for each training of the study.

    Of several entries of one training the one with the most of its evaluations wins, then the one from a run folder of
    this machine, then one of the study's own, then the one that started last. What was recorded of the very same run is
    never lost. Entries that belong to no training any more are kept as former ones, and come back when the study wants
    them again.

    Args:
        slots: the trainings that the study wants.
        recorded: what results.json holds.
        found: entries made from run folders.
        elsewhere: entries of other studies.
        drop: whether to forget former entries, and evaluations that the study no longer wants.

    Returns:
        The jobs, in the order of the slots, and the former entries.
    """
    here = [_united(entry, [*recorded.jobs, *recorded.former]) for entry in found]
    known = [*here, *recorded.jobs, *recorded.former, *elsewhere]
    own = len(here) + len(recorded.jobs) + len(recorded.former)
    jobs, used = [], set[int]()
    for slot in slots:
        candidates = [(number, entry) for number, entry in enumerate(known) if slot.holds(entry)]
        if not candidates:
            continue
        used |= {number for number, _ in candidates}
        best = max(candidates, key=lambda item: _worth(slot, item[0], item[1], len(here)))[1]
        chosen = {**best, "row": slot.row, "seed": slot.seed, "definition": slot.definition}
        chosen["label"] = f"{slot.row} seed {slot.seed}"
        chosen["evaluations"] = {
            name: evaluation if slot.wants(name, evaluation) else {**evaluation, "definition": FORMER}
            for name, evaluation in best["evaluations"].items()
            if slot.wants(name, evaluation) or not drop
        }
        jobs.append(chosen)
    left = [entry for number, entry in enumerate(known) if len(here) <= number < own and number not in used]
    former: dict[tuple[str, str, int], Entry] = {(e["hash"], str(e.get("started")), e["seed"]): e for e in left}
    return jobs, [] if drop else list(former.values())


def entry_of(run: RunFolder, slot: Slot, asked: Mapping[str, Asked], with_statistics: Iterable[str]) -> Entry:
    """Describe a finished run of a training.

    Args:
        run: a finished run folder.
        slot: the training.
        asked: name -> the evaluation that the study wants; those that the run has are entered.
        with_statistics: names of the scores whose sentence statistics are kept besides the monitored one's.

    Raises:
        RequestError: if a record cannot be read.
    """
    facts, configuration = run.read(), run.configuration()
    monitor = str((configuration.get("metrics") or {}).get("monitor"))
    wanted = {monitor, *with_statistics}
    evaluations = {name: find_evaluation(run, each) for name, each in asked.items()}
    machine, commit = facts.get("machine") or {}, facts.get("git") or {}
    return {
        "hash": facts.get("job_hash"),
        "row": slot.row,
        "seed": slot.seed,
        "label": f"{slot.row} seed {slot.seed}",
        "definition": slot.definition,
        "commit": commit.get("commit"),
        "dirty": commit.get("dirty"),
        "versions": facts.get("versions") or {},
        "machine": {key: machine[key] for key in ("cpu", "cores", "memory_gb") if key in machine},
        "started": facts.get("started"),
        "seconds": facts.get("seconds"),
        "parameters": facts.get("parameters"),
        **{key: facts.get(key) for key in ("steps", "total_steps", "stopped_by")},
        "under_trained": facts.get("under_trained"),
        "monitor": monitor,
        "evaluations": {
            name: _evaluation_entry(found, asked[name], wanted)
            for name, found in evaluations.items()
            if found is not None
        },
    }


def statistics_of(entry: Mapping[str, Any], evaluation: str, score: str, path: Path) -> np.ndarray | None:
    """Give the sentence statistics of a score, (sentences, k) float64; None where they were not kept.

    Raises:
        RequestError: if they are damaged.
    """
    packed = (entry["evaluations"][evaluation].get("statistics") or {}).get(score)
    place = f"{path}: {entry['row']} seed {entry['seed']}, {evaluation}, {score}"
    return None if packed is None else unpack(packed, place)


def _evaluation_entry(evaluation: Evaluation, asked: Asked, with_statistics: set[str]) -> dict[str, Any]:
    facts = evaluation.facts
    names = [score["name"] for score in facts["scores"] if score["name"] in with_statistics]
    segments = evaluation.segments()
    kept = {}
    for name in names:
        rows = [segment["statistics"].get(name) for segment in segments]
        if any(row is None or len(row) != len(rows[0] or ()) or None in row for row in rows):
            raise RequestError(f"{evaluation.folder / 'segments.jsonl'}: the statistics of {name} are not whole")
        kept[name] = pack(np.array(rows, dtype=np.float64))
    return {
        "definition": asked.definition,
        **{key: facts.get(key) for key in ("split", "strategy")},
        "signature": asked.signature_over_seeds,
        **{key: facts.get(key) for key in ("data_fingerprint", "precision")},
        **{key: facts.get(key) for key in ("sentences", "sentences_per_second")},
        "scores": [{key: score[key] for key in SCORE} for score in facts["scores"]],
        "statistics": kept,
    }


def _united(entry: Entry, recorded: Sequence[Entry]) -> Entry:
    """The entry of a run folder with what was recorded of the same run before."""
    for other in recorded:
        if (other["hash"], other.get("started")) == (entry["hash"], entry["started"]):
            return {**entry, "evaluations": {**other["evaluations"], **entry["evaluations"]}}
    return entry


def _worth(slot: Slot, number: int, entry: Mapping[str, Any], here: int) -> tuple[int, bool, bool, str, int]:
    return len(slot.measured(entry)), number < here, "measured_in" not in entry, str(entry.get("started")), -number
