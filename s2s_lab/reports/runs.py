"""The runs of a comparison: read from their folders, grouped into rows that differ only in the seed, and labelled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.configuration import configuration_hash, differing_keys
from s2s_lab.records.evaluation import Evaluation, read_evaluation
from s2s_lab.records.run_folder import RunFolder, find_runs
from s2s_lab.records.shape import Maybe, check_shape
from s2s_lab.reports.together import varied_together

NOT_COMPARED = (
    "seed", "name", "experiment_name", "paths", "logger", "callbacks", "job", "data.corpus.root", "trainer.num_threads",
)  # fmt: skip
"""Keys of a configuration that do not tell rows apart."""

CONFIGURATION = Maybe(
    name=str, seed=(int, str), metrics=Maybe(monitor=str), job=Maybe(command=(str, list)), data=Maybe(name=str)
)
"""What a comparison relies on in config.yaml."""


@dataclass(frozen=True)
class Run:
    """One run folder with what it says about itself.

    Attributes:
        folder: The run folder.
        facts: run.json.
        configuration: config.yaml; empty when the run stopped before it was written.
        evaluations: Its recorded evaluations.
    """

    folder: RunFolder
    facts: dict[str, Any]
    configuration: dict[str, Any]
    evaluations: tuple[Evaluation, ...]

    @property
    def name(self) -> str:
        """The label given by its configuration, or the folder's name."""
        return str(self.facts.get("name") or self.configuration.get("name") or self.folder.path.name)

    @property
    def seed(self) -> Any:
        """The seed, or None when unknown."""
        return self.facts.get("seed", self.configuration.get("seed"))

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return self.facts["status"] == "finished"


@dataclass(frozen=True)
class Row:
    """Runs whose configurations differ only in the seed.

    Attributes:
        key: Hash of the configuration without the seed.
        label: Name in tables, unique among the rows.
        runs: Finished runs by seed, one for each.
    """

    key: str
    label: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> list[Any]:
        """The seeds in the order of the runs."""
        return [run.seed for run in self.runs]

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration of the first run."""
        return self.runs[0].configuration

    @property
    def under_trained(self) -> str | None:
        """Why the row must be read as under-trained, or None."""
        verdicts = [run.facts.get("under_trained") or {} for run in self.runs]
        seeds: dict[str, list[str]] = {}
        for run, verdict in zip(self.runs, verdicts, strict=True):
            if verdict.get("flag"):
                seeds.setdefault(str(verdict.get("reason") or "no reason given"), []).append(str(run.seed))
        return "; ".join(f"seed {', '.join(own)}: {reason}" for reason, own in seeds.items()) or None

    def mean(self, fact: str) -> float | None:
        """Give the mean over seeds of a number in run.json; None when no run has it."""
        values = [run.facts[fact] for run in self.runs if isinstance(run.facts.get(fact), int | float)]
        return sum(values) / len(values) if values else None


@dataclass(frozen=True)
class Leftover:
    """A run that is in no row, and why."""

    run: Run
    reason: str


@dataclass(frozen=True)
class Collection:
    """Everything found at the places asked for.

    Attributes:
        rows: In the order found.
        leftovers: Runs in no row: failed, unfinished, repeated.
        differences: Dotted key -> value of each row, for keys in which the rows' configurations differ.
    """

    rows: tuple[Row, ...]
    leftovers: tuple[Leftover, ...]
    differences: dict[str, list[Any]] = field(default_factory=dict)


def collect(places: Iterable[Path | str]) -> Collection:
    """Read the runs at the places and group them.

    Args:
        places: Run folders or folders that hold some.

    Raises:
        RequestError: If a place holds no run, or a record cannot be read.
    """
    runs = [_read(folder) for folder in find_runs(places)]
    leftovers = [Leftover(run, _why_unfinished(run)) for run in runs if not run.finished]
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.finished:
            groups.setdefault(_row_key(run), []).append(run)
    chosen: dict[str, tuple[Run, ...]] = {}
    for key, members in groups.items():
        kept, repeated = _one_for_each_seed(members)
        chosen[key] = kept
        leftovers += [Leftover(run, f"seed {run.seed} of this row was run again later") for run in repeated]
    configurations = [members[0].configuration for members in chosen.values()]
    labels = _labels([members[0].name for members in chosen.values()], configurations, list(chosen))
    rows = tuple(Row(key, label, members) for (key, members), label in zip(chosen.items(), labels, strict=True))
    differences = differing_keys(configurations, ignoring=NOT_COMPARED) if len(rows) > 1 else {}
    return Collection(rows, tuple(leftovers), differences)


def row_labels(runs: Sequence[RunFolder]) -> list[str]:
    """Name the row of each run as `collect` names it, whether the run came to its end or not."""
    facts = [run.read() for run in runs]
    configurations = [run.configuration() if run.configuration_file.is_file() else {} for run in runs]
    keys = [_key(*pair) for pair in zip(facts, configurations, strict=True)]
    first = [keys.index(key) for key in dict.fromkeys(keys)]
    names = [str(facts[place].get("name") or runs[place].path.name) for place in first]
    labels = _labels(names, [configurations[place] for place in first], [keys[place] for place in first])
    named = dict(zip([keys[place] for place in first], labels, strict=True))
    return [named[key] for key in keys]


def short(value: Any) -> str:
    """Write a configuration's value briefly; of a dotted class path only the last part."""
    if isinstance(value, str) and value.startswith("s2s_lab.") and " " not in value:
        return value.rsplit(".", 1)[-1]
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(folder: RunFolder) -> Run:
    facts = folder.read()
    if facts.get("status") not in ("running", "finished", "failed", "interrupted"):
        raise RequestError(f"{folder.run_file}: status is {facts.get('status')!r}, expected finished, running, failed")
    configuration = folder.configuration() if folder.configuration_file.is_file() else {}
    check_shape(configuration, CONFIGURATION, str(folder.configuration_file))
    evaluations = tuple(read_evaluation(path) for path in folder.evaluation_folders())
    return Run(folder, facts, configuration, evaluations)


def _why_unfinished(run: Run) -> str:
    status = run.facts["status"]
    if status == "running":
        return f"not finished (started {run.facts.get('started')})"
    if status == "failed" and run.folder.error_file.is_file():
        lines = [line for line in run.folder.error_file.read_text(errors="replace").splitlines() if line.strip()]
        if lines:
            return f"failed: {lines[-1].strip()[:200]}"
    return status


def _row_key(run: Run) -> str:
    return _key(run.facts, run.configuration)


def _key(facts: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    return str(facts.get("row_hash") or configuration_hash(configuration, without=NOT_COMPARED))


def _one_for_each_seed(runs: Sequence[Run]) -> tuple[tuple[Run, ...], list[Run]]:
    """Keep the latest run of each seed, preferring those that were evaluated."""
    latest: dict[str, Run] = {}
    repeated: list[Run] = []
    for run in sorted(runs, key=lambda run: (bool(run.evaluations), str(run.facts.get("started")))):
        if str(run.seed) in latest:
            repeated.append(latest[str(run.seed)])
        latest[str(run.seed)] = run
    kept = sorted(latest.values(), key=lambda run: (not isinstance(run.seed, int), run.seed or 0, str(run.seed)))
    return tuple(kept), repeated


def _labels(names: Sequence[str], configurations: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[str]:
    labels = list(names)
    for name in dict.fromkeys(names):
        places = [place for place, other in enumerate(names) if other == name]
        if len(places) == 1:
            continue
        differences = differing_keys([configurations[place] for place in places], ignoring=NOT_COMPARED)
        chosen = [keys[0] for keys in varied_together(differences)][:3]
        for position, place in enumerate(places):
            parts = [f"{_last(key)}={_brief(differences[key][position])}" for key in chosen]
            labels[place] = f"{name} ({', '.join(parts)})" if parts else name
    return [
        f"{label} [{key[:4]}]" if labels.count(label) > 1 else label for label, key in zip(labels, keys, strict=True)
    ]


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else short(value)


def _last(key: str) -> str:
    parts = [part for part in key.split(".") if part != "_target_"]
    return parts[-1] if parts else key
