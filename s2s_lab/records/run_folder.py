"""The run folder: made once for each run, its facts in run.json, and what else its files hold."""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from s2s_lab.faults import RequestError
from s2s_lab.records.alone import alone_in
from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.durable import plain, read_json, sync_folder, write_durably, write_json
from s2s_lab.records.plain_yaml import read_yaml
from s2s_lab.records.record import read_record
from s2s_lab.records.run_files import RunFiles, path_part
from s2s_lab.records.shape import Each, Exactly, Maybe, check_shape

SCHEMA = 1
STATUSES = ("running", "finished", "failed", "interrupted")
SHAPE = Maybe(
    name=str,
    experiment=str,
    command=(str, list),
    started=str,
    job_hash=str,
    row_hash=str,
    seed=(int, str),
    choices=Each(str),
    git=Maybe(commit=str, dirty=bool),
    versions=Each(str),
    machine=Maybe(cpu=str, cores=int, memory_gb=(int, float), devices=[str]),
    data=Maybe(name=str, source=str, target=str, pairs=Each(int)),
    under_trained=Maybe(flag=bool, reason=str),
    validations=Maybe(monitor=str, higher_is_better=bool, history=[list]),
    evaluations=Each(str),
    **dict.fromkeys(("parameters", "seconds", "steps", "total_steps", "tokens", "tokens_per_second"), (int, float)),
)
"""What readers rely on in run.json; each fact may be missing or null, and others may be there."""


PLANNED = Exactly(evaluations=[dict])
"""evaluations.yaml."""


class RunFolder(RunFiles):
    """One run's folder; holds only its path, so that it may be handed to other processes."""

    @classmethod
    def create(cls, root: Path, name: str) -> "RunFolder":
        """Make a folder that no other run has; a number is appended when the name is taken.

        Args:
            root: The experiment's folder, made when missing.
            name: For example from `run_name`.

        Raises:
            RequestError: If the folder cannot be made.
        """
        try:
            root.mkdir(parents=True, exist_ok=True)
            for number in range(1, 1_000_000):
                path = root / (name if number == 1 else f"{name}-{number}")
                with contextlib.suppress(FileExistsError):
                    path.mkdir()
                    sync_folder(root)
                    return cls(path)
        except OSError as error:
            raise RequestError(f"{root}: the run's folder cannot be made ({error.strerror})") from None
        raise RequestError(f"{root}: a million runs are called {name}")

    @classmethod
    def open(cls, path: Path | str) -> "RunFolder":
        """Open an existing run folder.

        Raises:
            RequestError: If it is none, naming what is missing, or was written by a newer version of the laboratory.
        """
        folder = cls(Path(path))
        if not folder.path.is_dir():
            raise RequestError(f"{path}: no such folder; expected a run folder")
        if not folder.run_file.is_file():
            raise RequestError(f"{path}: not a run folder (run.json is missing)")
        folder.read()
        return folder

    def start(self, facts: Mapping[str, Any]) -> None:
        """Write the first run.json: schema, status running, the start (UTC now unless given) and the facts."""
        first = {"schema": SCHEMA, "status": "running", "started": utc_now(), "ended": None}
        self._write({**first, **plain(facts), "schema": SCHEMA})

    def read(self) -> dict[str, Any]:
        """Read run.json.

        Raises:
            RequestError: If it is missing, no JSON, or of a newer schema.
        """
        return read_record(self.run_file, schema=SCHEMA, shape=SHAPE)

    def update(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change facts of run.json; nested objects are merged, everything else is replaced.

        Two processes may do so at once: each waits for the other.

        Returns:
            The facts as they are now.
        """
        with self._locked():
            facts = _merged(self.read(), plain(changes))
            self._write(facts)
        return facts

    def finish(self, status: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write how the run ended, with the end (UTC now unless given in the changes; never before the start).

        Args:
            status: finished, failed or interrupted.
            changes: Further facts.
        """
        ended = max(utc_now(), self.read().get("started") or "")  # the clock may have been set back meanwhile
        return self.update({"ended": ended, **(changes or {}), "status": status})

    def write_configuration(self, configuration: Mapping[str, Any]) -> None:
        """Write config.yaml from the resolved configuration as nested plain values."""
        text = yaml.safe_dump(plain(configuration), sort_keys=False, allow_unicode=True, width=120)
        write_durably(self.configuration_file, lambda file: file.write(text))

    def configuration(self) -> dict[str, Any]:
        """Read config.yaml as a plain dict.

        Raises:
            RequestError: If it is missing or no YAML mapping.
        """
        return read_configuration(self.configuration_file)

    def plan_evaluations(self, planned: Sequence[Mapping[str, Any]]) -> None:
        """Write evaluations.yaml: plain settings of evaluations (conf/evaluate.yaml), without the runs."""
        text = yaml.safe_dump(plain({"evaluations": list(planned)}), sort_keys=False, allow_unicode=True, width=120)
        write_durably(self.planned_evaluations_file, lambda file: file.write(text))

    def open_evaluations(self) -> dict[str, dict[str, Any]]:
        """Give the planned evaluations that are not recorded yet, by the hash of their settings.

        What is recorded is listed in run.json under `evaluations`, by the same hash.

        Raises:
            RequestError: If evaluations.yaml is no record of that kind.
        """
        if not self.planned_evaluations_file.is_file():
            return {}
        planned = read_configuration(self.planned_evaluations_file)
        check_shape(planned, PLANNED, str(self.planned_evaluations_file))
        recorded = self.read().get("evaluations") or {}
        keyed = {configuration_hash(settings): settings for settings in planned["evaluations"]}
        return {
            key: settings
            for key, settings in keyed.items()
            if not (self.evaluations / str(recorded.get(key)) / "scores.json").is_file()
        }

    def write_word_counts(self, counts: Mapping[str, int]) -> None:
        """Write word_counts.json, the most frequent words first (see word_counts.count_words)."""
        write_json(self.word_counts_file, dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))

    def word_counts(self) -> dict[str, int]:
        """Read word_counts.json; empty when the run has none."""
        if not self.word_counts_file.is_file():
            return {}
        counts = read_json(self.word_counts_file)
        check_shape(counts, Each(int), str(self.word_counts_file))
        return counts

    def _write(self, facts: dict[str, Any]) -> None:
        if facts.get("status") not in STATUSES:
            raise ValueError(f"status is {facts.get('status')!r}, expected one of {', '.join(STATUSES)}")
        write_json(self.run_file, facts)

    def resume(self) -> None:
        """Write that the run is running again, and when; an error of before is forgotten.

        Raises:
            RequestError: If the folder cannot be written to.
        """
        try:
            self.error_file.unlink(missing_ok=True)
            resumed = [*self.read().get("resumed", []), utc_now()]
            self.update({"status": "running", "ended": None, "resumed": resumed})
        except OSError as error:
            raise RequestError(f"{self.path}: cannot be written to ({error.strerror})") from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from training in this folder while the block lasts.

        The lock ends with the process, however that ends, and is not handed to child processes.

        Raises:
            RequestError: If another process has it, or the folder is gone or cannot be written to.
        """
        with alone_in(self.path, ".lock", "another process is training in this folder"):
            yield

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.path, os.O_RDONLY)  # the lock is on the folder itself and goes with the process
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def run_name(key: str, now: datetime | None = None) -> str:
    """Name a run folder `<time>-<hash>`, e.g. 20261121-014512-3f9a0c11d2e4 (UTC)."""
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{path_part(key)}"


def utc_now() -> str:
    """Give the time as records write it: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def find_runs(places: Iterable[Path | str], *, check: bool = True) -> list[RunFolder]:
    """Find the run folders that places name.

    Args:
        places: Run folders, or folders that hold run folders at any depth.
        check: Whether each record has to be readable.

    Returns:
        Each run once: places in the order given, runs below a place by path.

    Raises:
        RequestError: If a place does not exist or holds no run, or a record cannot be read.
    """
    found: dict[Path, RunFolder] = {}
    for place in map(Path, places):
        if not place.is_dir():
            raise RequestError(f"{place}: no such folder; expected a run folder or a folder that holds some")
        below = [place] if (place / "run.json").is_file() else list(_walk(place))
        if not below:
            raise RequestError(f"{place}: holds no run folder (no run.json in it or below it)")
        for path in below:
            found.setdefault(path.resolve(), RunFolder.open(path) if check else RunFolder(path))
    return list(found.values())


def read_configuration(path: Path) -> dict[str, Any]:
    """Read a configuration file as a plain dict.

    Raises:
        RequestError: If it is missing or no YAML mapping; names the file and the line.
    """
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise RequestError(f"{path}: expected a YAML mapping, found {type(value).__name__}")
    return value


def _walk(place: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(place):
        if "run.json" in files:
            below.clear()
            yield Path(folder)
        below[:] = sorted(name for name in below if not name.startswith("."))


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
