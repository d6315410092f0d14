"""Whether a job is still what it was when it ran before under the same words."""

import sys
from collections.abc import Sequence

from s2s_lab.faults import RequestError
from s2s_lab.records.configuration import differing_keys
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.records.study_file import STUDIES
from s2s_lab.sweeps.ledger import Entry, Ledger

NOT_OF_THE_DEFINITION = (
    "paths",
    "logger",
    "job",
    "callbacks.progress",
    "trainer.num_threads",
    "experiment_name",
    "name",
)
MOST_SHOWN = 3


def check_definition(ledger: Ledger, jobs: Sequence[FrozenJob], *, accept: bool, program: str) -> None:
    """Says which jobs were defined otherwise when they ran before, and asks whether they are to run anew.

    A job that the ledger knows by its hash is the same. One that it knows by its label alone was changed: an option's
    file, a default, the data.

    Args:
        ledger: of the jobs' experiment, read.
        jobs: of one experiment.
        accept: whether to run them anew without asking.
        program: the command's name.

    Raises:
        RequestError: if there are such jobs, and nobody says yes.
    """
    former = {entry.label: entry for entry in ledger.entries.values()}
    changed = [(job, former[job.label]) for job in jobs if job.hash not in ledger.entries and job.label in former]
    if not changed:
        return
    job, entry = changed[0]
    many = f"{len(changed)} jobs were" if len(changed) > 1 else "a job was"
    said = f"{many} defined otherwise before, in {ledger.folder}: {job.label}: {_difference(ledger, job, entry)}"
    if accept or _asked(f"{program}: {said}\nRun what was changed anew? The former runs stay. [y/N] "):
        print(f"{program}: {said}; what was changed runs anew", file=sys.stderr, flush=True)
        return
    apart = "" if job.settings["experiment_name"].startswith(STUDIES) else ", another experiment_name keeps them apart"
    raise RequestError(
        f"{said}; hydra.launcher.accept_changed=true runs what was changed anew (the former runs stay){apart}"
    )


def _difference(ledger: Ledger, job: FrozenJob, entry: Entry) -> str:
    try:
        before = RunFolder(ledger.folder / entry.folder).configuration()
    except RequestError:
        return f"its hash was {entry.job}, now it is {job.hash}"
    differing = differing_keys([before, job.settings], ignoring=NOT_OF_THE_DEFINITION)
    if not differing:
        return "its data were changed"
    shown = [f"{key} was {old}, now it is {new}" for key, (old, new) in list(differing.items())[:MOST_SHOWN]]
    return "; ".join(shown) + (f" and {len(differing) - MOST_SHOWN} more" if len(differing) > MOST_SHOWN else "")


def _asked(question: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
