"""The look at a search before its first trial: what it draws and wants, and whether its combinations can be built."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2s_lab.faults import RequestError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.sweeps.search.dimensions import Choice, Dimension, Value
from s2s_lab.sweeps.search.objectives import Objective, read_objectives
from s2s_lab.sweeps.search.parts import HigherIsBetter, Prepare
from s2s_lab.sweeps.search.pruning import BY_STEPS
from s2s_lab.sweeps.search.samplers import check_sampler
from s2s_lab.sweeps.search.settings import SearchSettings
from s2s_lab.sweeps.search.space import Drawn, Space, read_space
from s2s_lab.sweeps.search.storage import Definition

MOST_SAMPLES = 16
MOST_ROUNDS = 100
NOT_OF_THE_SEARCH = ("paths.", "logger", "callbacks.", "name=", "launch=", "trainer.num_threads")
"""How words begin that change no result, and so may differ between the processes of one search."""


@dataclass(frozen=True)
class Beginning:
    """What a search is about.

    Attributes:
        space: what is drawn.
        objectives: what is wanted.
        experiment: the folder of the runs and of the journal.
        monitor: the monitored score of every job.
        max_steps: optimizer steps of the longest training seen.
        definition: the same in words, to be compared with what the search began with.
        samples: jobs of a few points of the space.
        search_path: the word of Hydra's search path, where there are options of one's own.
    """

    space: Space
    objectives: tuple[Objective, ...]
    experiment: Path
    monitor: str
    max_steps: int
    definition: Definition
    samples: Sequence[FrozenJob]
    search_path: tuple[str, ...] = ()

    def check(self, job: FrozenJob) -> None:
        """Refuses a job that cannot be compared with the others.

        Raises:
            RequestError: if it has another experiment or another monitored score.
        """
        if job.experiment != self.experiment:
            raise RequestError(f"its runs lie in {job.experiment}, those of the search in {self.experiment}")
        if monitor_of(job) != self.monitor:
            raise RequestError(f"its metrics.monitor is {monitor_of(job)}, that of the search {self.monitor}")


def monitor_of(job: FrozenJob) -> str:
    """The monitored score of a job."""
    return job.settings["metrics"]["monitor"]


def begin(
    prepare: Prepare,
    words: Sequence[str],
    settings: SearchSettings,
    higher_is_better: HigherIsBetter,
    say: Callable[[str], object],
) -> Beginning:
    """Reads the space and builds a sample of it.

    Args:
        prepare: composes, checks and freezes jobs.
        words: overrides of the command line.
        settings: of the search.
        higher_is_better: direction of the monitored score of a job.
        say: shows one line.

    Raises:
        RequestError: if nothing is searched, no sample can be built, or the samples cannot be compared.
    """
    space = read_space(words, settings.params, settings.spaces)
    if not space.dimensions:
        raise RequestError(
            "hydra/sweeper=optuna: nothing is searched; give a key several values, as in 'optimizer.lr="
            "tag(log,interval(0.0003,0.01))' or model=lstm,gru"
        )
    check_sampler(settings, space)
    jobs, refused = _built(prepare, samples(space))
    for reason, drawn in refused:
        say(f"cannot be built, and would be told as failed: {' '.join(drawn.shown)}: {reason}")
    first = jobs[0]
    for job in jobs[1:]:
        if job.experiment != first.experiment:
            raise RequestError(
                f"the runs of one search lie in one folder, but these in {first.experiment} and {job.experiment}; give "
                "experiment_name=NAME"
            )
        if monitor_of(job) != monitor_of(first):
            raise RequestError(
                f"one search compares one score, but metrics.monitor is {monitor_of(first)} and {monitor_of(job)}; "
                "give metrics.monitor=NAME"
            )
    objectives = read_objectives(settings.objectives, monitor_of(first), higher_is_better(first.settings))
    if settings.pruning.method != "none" and not objectives[0].monitored:
        raise RequestError(
            f"hydra.sweeper.pruning.method={settings.pruning.method}: running trials are judged by "
            f"{monitor_of(first)}, but {objectives[0].name} is searched for; choose none"
        )
    definition: Definition = {
        "words": sorted(word for word in space.fixed if not word.startswith(NOT_OF_THE_SEARCH)),
        "space": space.definition(),
        "objectives": [f"{objective.name} ({objective.direction})" for objective in objectives],
        "sampler": f"{settings.sampler} (seed {settings.seed}, {settings.startup_trials} startup trials)",
    }
    steps = max(int(job.settings["trainer"]["max_steps"]) for job in jobs)
    if settings.pruning.method in BY_STEPS and steps <= 0:
        raise RequestError(
            f"hydra.sweeper.pruning.method={settings.pruning.method} shares out optimizer steps, but "
            f"trainer.max_steps is {steps}; give it, or choose median"
        )
    return Beginning(space, objectives, first.experiment, monitor_of(first), steps, definition, jobs)


def samples(space: Space) -> list[Drawn]:
    """A few points of a space: every combination of its choices where they are few, else each option at least once.

    Numbers are taken from the middle.
    """
    points = list(itertools.islice(space.points(of=_sampled), MOST_SAMPLES + 1))
    if len(points) <= MOST_SAMPLES:
        return points
    taken: Counter[str] = Counter()

    def next_option(dimension: Dimension) -> Value:
        options = _sampled(dimension)
        taken[dimension.name] += 1
        return options[(taken[dimension.name] - 1) % len(options)]

    chosen: dict[tuple[str, ...], Drawn] = {}
    for _ in range(MOST_ROUNDS):
        point = space.draw(next_option)
        chosen.setdefault(tuple(point.shown), point)
        if all(taken[dimension.name] >= len(_sampled(dimension)) for dimension in space.dimensions):
            break
    return list(chosen.values())


def _sampled(dimension: Dimension) -> Sequence[Value]:
    values = dimension.values
    if isinstance(values, Choice):
        return values.texts
    options = values.options()
    if options is not None:
        return [options[len(options) // 2]]
    middle = (values.low * values.high) ** 0.5 if values.log else (values.low + values.high) / 2
    return [int(middle) if values.whole else middle]


def _built(prepare: Prepare, points: Sequence[Drawn]) -> tuple[list[FrozenJob], list[tuple[str, Drawn]]]:
    """Jobs of the points that can be built, and why the others cannot.

    Raises:
        RequestError: if none can; the reason of the first.
    """
    try:
        return list(prepare([point.words for point in points])), []
    except RequestError as error:
        if len(points) == 1:
            raise
        first = error
    jobs, refused = [], []
    for point in points:
        try:
            jobs += prepare([point.words])
        except RequestError as error:
            refused.append((str(error), point))
    if not jobs:
        raise first
    return jobs, refused
