"""Shows, runs and reports a study: a file that is a paper's table with its claims."""

import argparse
import math
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s2s_lab.assemble.study import ComposedRow, StudyComposer
    from s2s_lab.records.run_folder import RunFolder
    from s2s_lab.records.study_file import Study
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
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="for every job: places, logger, launcher")
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
    """Compose and check the chosen rows, and tell where each of their trainings stands."""
    from s2s_lab.assemble.study import StudyComposer
    from s2s_lab.faults import RequestError
    from s2s_lab.records.results import read_results, slots_of
    from s2s_lab.sweeps.engine_settings import EngineSettings
    from s2s_lab.sweeps.study_plan import OpenRow, Plan, PlannedJob, check_chosen, status_of

    rows, seeds = check_chosen(study, arguments.row, arguments.seed)
    recorded, composer = read_results(study), StudyComposer(study, arguments.words)
    composed = composer.compose([row for row in rows if row.needs is None], seeds)
    open_rows = []
    for row in rows:
        if row.needs is not None:
            try:
                composer.compose([row], row.seeds[:1])
                open_rows.append(OpenRow(row, None))
            except RequestError as error:
                obstacle = str(error).removeprefix(f"{study.path}: row {row.name}: ")
                open_rows.append(OpenRow(row, f"not yet: {obstacle}"))
    runs = _runs(composed)
    jobs = []
    hashes = {(each.row.name, seed): job.hash for each in composed for seed, job in each.jobs.items()}
    slots = {(slot.row, slot.seed): slot for slot in slots_of(study, hashes, composer.signatures)}
    for each in composed:
        for seed, job in each.jobs.items():
            slot = slots[each.row.name, seed]
            status, seconds = status_of(slot, each.asked, runs.get(job.hash, []), recorded)
            jobs.append(PlannedJob(each.row, slot, job, status, seconds))
    at_once = EngineSettings.of(composer.launcher()).jobs_together(len(jobs))
    return Plan(study, tuple(jobs), tuple(open_rows), at_once), composed, composer


def _start(arguments: argparse.Namespace) -> None:
    from s2s_lab.assemble.study import settings_by_hash
    from s2s_lab.faults import RunError
    from s2s_lab.records.study_file import read_study
    from s2s_lab.reports.study_page import check_replaceable
    from s2s_lab.sweeps.engine import Engine
    from s2s_lab.sweeps.engine_settings import EngineSettings
    from s2s_lab.sweeps.run_jobs import run_jobs
    from s2s_lab.sweeps.study_table import summary

    study = read_study(arguments.path)
    check_replaceable(study)
    plan, composed, composer = _planned(study, arguments)
    left, console = plan.left(), _console()
    console.print(summary(plan), markup=False)
    if arguments.dry:
        for planned in left:
            console.print(f"{planned.status:12} {planned.job.label}  {planned.job.hash}", markup=False)
        return
    failed = []
    if left:
        seconds = math.inf if arguments.limit_minutes is None else arguments.limit_minutes * 60
        evaluations, jobs = settings_by_hash(composed), [planned.job for planned in left]
        with Engine(EngineSettings.of(composer.launcher()), total=len(jobs), program="s2s-study") as engine:
            outcomes = run_jobs(engine, jobs, evaluations, seconds=seconds)
        failed = [outcome for outcome in outcomes if outcome.status in ("failed", "refused")]
        if any(outcome.status == "interrupted" for outcome in outcomes):
            raise KeyboardInterrupt
    _report(arguments)
    if failed:
        first = f"{failed[0].job.label}: {failed[0].reason}"
        raise RunError(f"{len(failed)} of {len(left)} jobs failed; one of them: {first}")


def _report(arguments: argparse.Namespace) -> None:
    from s2s_lab.assemble.study import StudyComposer
    from s2s_lab.records.results import entry_of, merged, read_results, slots_of
    from s2s_lab.records.study_file import read_study
    from s2s_lab.reports.study_measured import counts
    from s2s_lab.reports.study_report import write_study_report
    from s2s_lab.sweeps.study_plan import finished_runs

    study = read_study(arguments.path)
    recorded, composer = read_results(study), StudyComposer(study, arguments.words)
    composed = {each.row.name: each for each in _composable(study, composer)}
    hashes = {(name, seed): job.hash for name, each in composed.items() for seed, job in each.jobs.items()}
    finished = finished_runs(_runs(composed.values()), set(hashes.values()))
    slots = slots_of(study, hashes, composer.signatures)
    scores = {claim["score"] for claim in study.claims.values() if claim["kind"] == "order"}
    found = [
        entry_of(run, slot, composed[slot.row].asked, scores)
        for slot in slots
        if slot.hash is not None
        for run in finished.get(slot.hash, [])
    ]
    jobs, former = merged(slots, recorded, found, drop=arguments.drop)
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
    return {} if job is None else find_study_runs(job.experiment)


def _console() -> Any:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 200  # a file or a pipe has no width
    return console


if __name__ == "__main__":
    main()
