"""From the rows of a study to frozen jobs: every training and evaluation composed and checked before one starts."""

import difflib
import json
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2s_lab.assemble.configuration import compose_each, plain
from s2s_lab.assemble.demands import digests_of
from s2s_lab.assemble.inference import build_strategy
from s2s_lab.assemble.instantiation import build
from s2s_lab.assemble.job import NOT_OF_THE_JOB, check_parts, freeze
from s2s_lab.assemble.together import digest, with_parts
from s2s_lab.faults import RequestError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.nearest import one_of
from s2s_lab.records.recorded_evaluation import Asked
from s2s_lab.records.study_claims import needed_by
from s2s_lab.records.study_companions import rows_named
from s2s_lab.records.study_file import OF_THE_STUDY, Study
from s2s_lab.records.study_rows import Row, word

LAUNCHER = "hydra.launcher"


@dataclass(frozen=True)
class ComposedRow:
    """A row whose trainings are frozen.

    Attributes:
        row: the row.
        jobs: seed -> its training.
        asked: name -> evaluation that each of them gets, with names of rows, also in the signature, where the study's
            words name some.
    """

    row: Row
    jobs: dict[int, FrozenJob]
    asked: dict[str, Asked]

    @property
    def row_hash(self) -> str:
        """Of all that decides the results of its trainings but their seeds."""
        return next(iter(self.jobs.values())).row_hash


class StudyComposer:
    """Composes the rows of one study; corpora are read once.

    Args:
        study: the study.
        words: of the command line, for every job: places, loggers and the launcher; nothing that decides a result.

    Attributes:
        signatures: name of an evaluation that names no row -> its strategy's signature.

    Raises:
        RequestError: if a word would change results, or an evaluation cannot be composed.
    """

    def __init__(self, study: Study, words: Sequence[str] = ()) -> None:
        for each in words:
            _check_word(each)
        self.study = study
        self.words = list(words)
        self._fingerprints: dict[str, Any] = {}
        self._splits: dict[tuple[str, str], str] = {}
        self._settings = {name: self._evaluation(name) for name in study.evaluations}
        self._signatures = {name: self._signature(name) for name in study.evaluations}
        self.signatures = {
            name: text for name, text in self._signatures.items() if not rows_named(self._settings[name])
        }

    def compose(
        self, rows: Sequence[Row], seeds: Collection[int] | None = None, *, check: bool = True
    ) -> list[ComposedRow]:
        """Freezes the trainings of rows.

        Args:
            rows: of the study; whether they need something is not asked.
            seeds: only these of each row's; all by default.
            check: whether to build the parts of one training of each row too, the network on the meta device.

        Returns:
            The rows that have such a seed.

        Raises:
            RequestError: one line that names the study and the row.
        """
        wanted = [(row, [seed for seed in row.seeds if seeds is None or seed in seeds]) for row in rows]
        wanted = [(row, own) for row, own in wanted if own]
        try:  # together, as rows that choose the same options are composed once
            found = iter(compose_each("train", [self.job_words(row, seed) for row, own in wanted for seed in own]))
            configurations = [[next(found) for _ in own] for _, own in wanted]
        except RequestError:
            configurations = [self._of_row(row, own) for row, own in wanted]
        return [
            self._freeze(row, dict(zip(own, each, strict=True)), check)
            for (row, own), each in zip(wanted, configurations, strict=True)
        ]

    def _of_row(self, row: Row, seeds: Sequence[int]) -> list[Any]:
        with self._naming(row):
            return compose_each("train", [self.job_words(row, seed) for seed in seeds])

    def _freeze(self, row: Row, configurations: Mapping[int, Any], check: bool) -> ComposedRow:
        with self._naming(row):
            if check:
                check_parts(next(iter(configurations.values())))
            jobs = {}
            for seed, configuration in configurations.items():
                command = shlex.join(
                    ["s2s-study", "run", self.study.place, "--row", row.name, "--seed", str(seed), *self.words]
                )
                jobs[seed] = freeze(
                    configuration,
                    configuration.hydra,
                    label=f"{row.name} seed {seed}",
                    command=command,
                    fingerprints=self._fingerprints,
                )
            first = next(iter(jobs.values()))
            self._check_scores(row, first)
            asked = {name: self._asked(name, first) for name in row.evaluations}
        return ComposedRow(row, jobs, asked)

    def _check_scores(self, row: Row, job: FrozenJob) -> None:
        """Refuses a claim whose score is surely a misspelt metric of the row; evaluations give further scores."""
        for name, claim in self.study.claims.items():
            for needed in needed_by(claim):
                if needed.row not in (row.name, row.name.partition("[")[0]):
                    continue
                node = self._settings[needed.evaluation]["metrics"] or job.settings["metrics"]
                known = [score for score, metric in node["scores"].items() if metric]
                close = difflib.get_close_matches(claim["score"], known, n=1, cutoff=0.75)
                if close and claim["score"] not in known:
                    raise RequestError(f"claims.{name}.score: {claim['score']}: did you mean {close[0]}?")

    @contextmanager
    def _naming(self, row: Row) -> Iterator[None]:
        try:
            yield
        except RequestError as error:
            raise RequestError(f"{self.study.path}: row {row.name}: {error}") from None

    def job_words(self, row: Row, seed: int) -> list[str]:
        """Words of one training, as `s2s-train` would take them."""
        labels = {"name": row.name, "experiment_name": self.study.experiment}
        return [*(word(key, value) for key, value in {**self.study.words(row, seed), **labels}.items()), *self.words]

    def launcher(self) -> dict[str, Any]:
        """The composed launcher node of Hydra's configuration, plain."""
        from omegaconf import OmegaConf

        configuration = compose_each("train", [self.words])[0]
        node = OmegaConf.to_container(configuration.hydra.launcher, resolve=True)
        assert isinstance(node, dict)
        return {str(key): value for key, value in node.items()}

    def _evaluation(self, name: str) -> dict[str, Any]:
        words = [word(key, value) for key, value in self.study.evaluations[name].items()]
        try:
            settings = plain(compose_each("evaluate", [words])[0])
        except RequestError as error:
            raise RequestError(f"{self.study.path}: evaluation {name}: {error}") from None
        return {key: value for key, value in settings.items() if key != "runs"}

    def _signature(self, name: str) -> str:
        try:
            return signature_of(self._settings[name], named=Path.as_posix)
        except RequestError as error:
            raise RequestError(f"{self.study.path}: evaluation {name}: {error}") from None

    def _asked(self, name: str, job: FrozenJob) -> Asked:
        settings, corpus = self._settings[name], job.settings["data"]["corpus"]
        key = (json.dumps(corpus), settings["split"])
        if key not in self._splits:
            self._splits[key] = build(corpus, "data.corpus").canonical(settings["split"])
        signature, definition = self._signatures[name], self.study.evaluation_definition(name)
        return Asked(definition, self._splits[key], signature, settings, signature, digests_of(settings))


def signature_of(settings: Mapping[str, Any], *, named: Callable[[Path], str] = digest) -> str:
    """Writes the signature of an evaluation: its strategy's with all that is beside the model.

    Args:
        settings: plain conf/evaluate.yaml.
        named: says which model a run is that the settings name.

    Raises:
        RequestError: if the strategy or what is beside the model cannot be built.
    """
    strategy = build_strategy(settings["decoding"], settings.get("constraint"))
    return with_parts(strategy.signature(exact=settings.get("oracle_length", False)), settings, named=named)


def _check_word(text: str) -> None:
    """Refuses a word that belongs into the study file, since results with and without it would not be the same."""
    key, equals, _ = text.partition("=")
    if not equals or not key:
        raise RequestError(f"cannot read the word {text}: KEY=VALUE is expected")
    if key.startswith(f"{LAUNCHER}.") or key == "hydra/launcher":
        return
    allowed = [name for name in NOT_OF_THE_JOB if name.split(".")[0] not in OF_THE_STUDY or name == "paths"]
    allowed = [name for name in allowed if name != "job"]
    if not any(key == name or key.startswith(f"{name}.") for name in allowed):
        one_of(key, [*allowed, f"{LAUNCHER}.KEY"], f"{text}: {key}", "a word that leaves all results as they are; "
               "what decides them belongs into study.yaml")  # fmt: skip
