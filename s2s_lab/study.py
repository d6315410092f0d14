"""Shows, runs and reports a study: a file that is a paper's table with its claims."""

import argparse
import contextlib
import functools
import math
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from s2s_lab.assemble.study import ComposedRow, StudyComposer
    from s2s_lab.assemble.study_companions import Companions
    from s2s_lab.records.frozen_job import FrozenJob
    from s2s_lab.records.run_folder import RunFolder
    from s2s_lab.records.study_file import Study
    from s2s_lab.sweeps.outcome import Outcome
    from s2s_lab.sweeps.study_plan import Plan

ABOUT = """A study is experiments/NAME/study.yaml: rows as unions of grids, seeds, evaluations, and claims of a paper.

  s2s-study plan PATH     composes and checks every job; shows what is done, what is left and what that costs
  s2s-study run PATH      runs or resumes what is left, lower priorities first, and writes the report
  s2s-study report PATH   writes results.json, README.md, figures and the overview from what has been measured

PATH is the study's folder or its file. Words such as paths.data=DIR, paths.outputs=DIR, logger=csv or
hydra.launcher.jobs_at_once=2 belong to every job; what decides results belongs into the file."""


def main() -> None:
    """Entry point of `s2s-study`; exit codes: 0 done, 1 failed, 2 wrong request, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="s2s-study", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=("plan", "run", "report"), help="what to do")
    parser.add_argument("path", metavar="PATH", help="study.yaml or its folder")
    parser.add_argument(
        "words", nargs="*", default=[], metavar="KEY=VALUE", help="for every job: places, logger, launcher"
    )
    parser.add_argument("--row", action="append", default=[], metavar="NAME", help="only this row or block; repeatable")
    parser.add_argument("--seed", action="append", default=[], type=int, metavar="N", help="only this seed; repeatable")
    parser.add_argument("--limit-minutes", type=float, metavar="M", help="run: start nothing later, save what runs")
    parser.add_argument("--dry", action="store_true", help="run: show what would be started, start nothing")
    parser.add_argument("--drop", action="store_true", help="report: forget results that no row of the study wants")
    arguments = parser.parse_intermixed_args()
    sys.exit(_run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from s2s_lab.faults import RequestError, RunError

    try:
        _check(arguments)
        {"plan": _plan, "run": _start, "report": _report}[arguments.verb](arguments)
    except (RequestError, RunError, OSError) as error:
        print(f"s2s-study: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, RequestError) else 1
    except KeyboardInterrupt:
        print("s2s-study: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


def _check(arguments: argparse.Namespace) -> None:
    from s2s_lab.faults import RequestError

    limit = arguments.limit_minutes
    if limit is not None and not 0 < limit < float("inf"):
        raise RequestError(f"--limit-minutes {limit:g}: expected a number above 0")
    for option, verbs in (("limit_minutes", "run"), ("dry", "run"), ("drop", "report")):
        if getattr(arguments, option) and arguments.verb != verbs:
            raise RequestError(f"--{option.replace('_', '-')} belongs to s2s-study {verbs}")
    if (arguments.row or arguments.seed) and arguments.verb == "report":
        raise RequestError("--row and --seed belong to plan and run; a report is about the whole study")


def _plan(arguments: argparse.Namespace) -> None:
    from s2s_lab.records.study_file import read_study
    from s2s_lab.sweeps.study_table import print_plan

    study = read_study(arguments.path)
    plan, _, _ = _planned(study, arguments)
    print_plan(plan, _console())


def _planned(study: "Study", arguments: argparse.Namespace) -> "tuple[Plan, list[ComposedRow], StudyComposer]":
    """Compose and check the chosen rows and those that their evaluations name, and tell where each training stands.

    Returns:
        The plan of the chosen rows, all rows that were composed, the chosen ones first, and what composed them.
    """
    from s2s_lab.assemble.study import StudyComposer
    from s2s_lab.assemble.study_companions import Companions
    from s2s_lab.faults import RequestError
    from s2s_lab.records.results import Results, read_elsewhere, read_results, slots_of
    from s2s_lab.sweeps.engine_settings import EngineSettings
    from s2s_lab.sweeps.study_plan import OpenRow, Plan, PlannedJob, check_chosen, needed_here, status_of

    rows, seeds = check_chosen(study, arguments.row, arguments.seed)
    recorded, composer = read_results(study), StudyComposer(study, arguments.words)
    composed = composer.compose([row for row in rows if row.needs is None], seeds)
    named = {row.name: row for each in composed for name in each.row.evaluations for row in study.named_by(name)}
    others = [row for row in named.values() if row.needs is None and row not in rows]
    everything = [*composed, *composer.compose(others, seeds)]
    open_rows = []
    for row in rows:
        if row.needs is not None:
            try:
                composer.compose([row], row.seeds[:1])
                open_rows.append(OpenRow(row, None))
            except RequestError as error:
                obstacle = str(error).removeprefix(f"{study.path}: row {row.name}: ")
                open_rows.append(OpenRow(row, f"not yet: {obstacle}"))
    runs = _runs(everything)
    companions, jobs = Companions(everything, runs), []
    hashes = {(each.row.name, seed): job.hash for each in composed for seed, job in each.jobs.items()}
    slots = {(slot.row, slot.seed): slot for slot in slots_of(study, hashes, _signatures(composer, companions))}
    known = Results(study.name, [*recorded.jobs, *read_elsewhere(study, slots.values())], recorded.former)
    for each in composed:
        for seed, job in each.jobs.items():
            slot, wanted = slots[each.row.name, seed], companions.wanted(each.row.name, seed)
            status, seconds = status_of(slot, wanted.asked, runs.get(job.hash, []), known, wanted.waiting)
            jobs.append(PlannedJob(each.row, slot, job, status, seconds, wanted.waiting))
    jobs = needed_here(jobs, runs)
    settings = EngineSettings.of(composer.launcher()).without_gpus(each.job.settings["trainer"] for each in jobs)
    at_once = settings.jobs_together(study.size)
    return Plan(study, tuple(jobs), tuple(open_rows), at_once), everything, composer


def _signatures(composer: "StudyComposer", companions: "Companions") -> dict[str, str]:
    return {**composer.signatures, **companions.signatures()}


def _start(arguments: argparse.Namespace) -> None:
    from s2s_lab.faults import RequestError, RunError
    from s2s_lab.records.study_file import read_study
    from s2s_lab.reports.study_page import check_replaceable
    from s2s_lab.sweeps.study_table import summary

    study = read_study(arguments.path)
    check_replaceable(study)
    plan, composed, composer = _planned(study, arguments)
    left, console = plan.left(), _console()
    console.print(summary(plan), markup=False, soft_wrap=True)
    if arguments.dry:
        for planned in left:
            console.print(f"{planned.status:12} {planned.job.label}  {planned.job.hash}", markup=False)
        return
    try:
        outcomes = _run_all(plan, composed, composer, arguments.limit_minutes) if left else []
    except (KeyboardInterrupt, RequestError, RunError, OSError):
        with contextlib.suppress(RequestError, OSError):  # the reason of the end counts more
            _report(arguments)
        raise
    failed = [outcome for outcome in outcomes if outcome.status in ("failed", "refused")]
    _report(arguments)
    if failed:
        first = f"{failed[0].job.label}: {failed[0].reason}"
        raise RunError(f"{len(failed)} of {len(left)} jobs failed; one of them: {first}")


def _run_all(
    plan: "Plan", composed: "Sequence[ComposedRow]", composer: "StudyComposer", minutes: float | None
) -> "list[Outcome]":
    """Train and evaluate all that is left, then do the evaluations that waited for trainings of other rows.

    Raises:
        KeyboardInterrupt: after an interrupt.
    """
    from s2s_lab.assemble.study_companions import Companions
    from s2s_lab.sweeps.study_plan import waiting_lines

    end = math.inf if minutes is None else time.monotonic() + minutes * 60
    companions, chosen = Companions(composed, _runs(composed)), [each for each in composed if plan.of_row(each.row)]
    jobs = [planned.job for planned in plan.left()]
    outcomes, go_on = _run_some(composer, jobs, companions.settings_by_hash(chosen), end)
    waited = [planned for planned in plan.jobs if planned.waiting and planned.status not in ("done", "running")]
    if not waited:
        return outcomes
    companions = Companions(composed, _runs(composed))
    trained = [planned for planned in waited if companions.finished(planned.row.name, planned.slot.seed) is not None]
    wanted = [companions.wanted(planned.row.name, planned.slot.seed) for planned in trained]
    ready = [
        planned.job for planned, now in zip(trained, wanted, strict=True) if set(planned.waiting) - set(now.waiting)
    ]
    if ready and go_on and time.monotonic() < end:
        unique = list({job.hash: job for job in ready}.values())
        outcomes += _run_some(composer, unique, companions.settings_by_hash(chosen), end)[0]
    open_still = [(each.row.name, each.slot.seed, now.waiting) for each, now in zip(trained, wanted, strict=True)]
    for line in waiting_lines(open_still):
        print(f"s2s-study: left open: {line}", file=sys.stderr)
    return outcomes


def _run_some(
    composer: "StudyComposer",
    jobs: "Sequence[FrozenJob]",
    evaluations: "Mapping[str, Sequence[Mapping[str, Any]]]",
    end: float,
) -> "tuple[list[Outcome], bool]":
    """Run jobs with their evaluations until a time; tell how each ended, and whether more may be started."""
    from s2s_lab.sweeps.engine import Engine
    from s2s_lab.sweeps.engine_settings import EngineSettings
    from s2s_lab.sweeps.run_jobs import run_jobs

    settings, whole = EngineSettings.of(composer.launcher()), composer.study.size
    with Engine(settings, total=len(jobs), share_among=whole, program="s2s-study") as engine:
        outcomes = run_jobs(engine, jobs, evaluations, seconds=end - time.monotonic())
        go_on = not engine.halted
    if any(outcome.status == "interrupted" for outcome in outcomes):
        raise KeyboardInterrupt
    return outcomes, go_on


def _report(arguments: argparse.Namespace) -> None:
    from s2s_lab.assemble.study import StudyComposer
    from s2s_lab.assemble.study_companions import Companions
    from s2s_lab.records.results import entry_of, merged, read_elsewhere, read_results, slots_of
    from s2s_lab.records.study_file import read_study
    from s2s_lab.reports.study_measured import counts
    from s2s_lab.reports.study_report import write_study_report
    from s2s_lab.sweeps.study_plan import finished_runs

    study = read_study(arguments.path)
    recorded, composer = read_results(study), StudyComposer(study, arguments.words)
    composed = {each.row.name: each for each in _composable(study, composer)}
    hashes = {(name, seed): job.hash for name, each in composed.items() for seed, job in each.jobs.items()}
    runs = _runs(composed.values())
    companions, finished = Companions(composed.values(), runs), finished_runs(runs, set(hashes.values()))
    slots = slots_of(study, hashes, _signatures(composer, companions))
    scores = {claim["score"] for claim in study.claims.values() if claim["kind"] == "order"}
    found = [
        entry_of(run, slot, companions.wanted(slot.row, slot.seed).asked, scores)
        for slot in slots
        if slot.hash is not None
        for run in finished.get(slot.hash, [])
    ]
    jobs, former = merged(slots, recorded, found, read_elsewhere(study, slots), drop=arguments.drop)
    results, written = write_study_report(study, jobs, former)
    print(f"{study.name}: {counts(results.claims)}")
    for path in written:
        print(f"wrote {path}")


def _composable(study: "Study", composer: "StudyComposer") -> "list[ComposedRow]":
    """Freeze all rows that can be frozen here; what was recorded of the others is known by the study's words."""
    from s2s_lab.faults import RequestError

    ready = [row for row in study.rows if row.needs is None]
    try:
        return composer.compose(ready, check=False)
    except RequestError:
        composed = []
    for row in ready:
        try:
            composed += composer.compose([row], check=False)
        except RequestError as error:
            print(f"s2s-study: {error}; its results are taken as recorded", file=sys.stderr)
    return composed


def _runs(composed: "Iterable[ComposedRow]") -> "dict[str, list[RunFolder]]":
    """The study's runs on this machine, by the hash of their job."""
    from s2s_lab.sweeps.study_plan import find_study_runs

    job = next((job for each in composed for job in each.jobs.values()), None)
    return {} if job is None else find_study_runs(job.experiment, _tell_once)


@functools.cache
def _tell_once(line: str) -> None:
    print(f"s2s-study: {line}", file=sys.stderr, flush=True)


def _console() -> Any:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 200  # a file or a pipe has no width
    return console


if __name__ == "__main__":
    main()
