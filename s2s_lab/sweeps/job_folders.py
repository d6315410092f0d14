"""The run folders of a sweep's jobs: where a job ran before, and a new one for a job that never did."""

import shutil
from dataclasses import replace

from s2s_lab.faults import RequestError
from s2s_lab.records.frozen_job import FrozenJob
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.sweeps.ledger import Ledger


def former_folder(job: FrozenJob, ledger: Ledger) -> RunFolder | None:
    """Finds where a job ran before: as the ledger says, or else by the hash in the names of the folders."""
    known = ledger.folder_of(job.hash)
    found = []
    for path in [known] if known else sorted(job.experiment.glob(f"*-{job.hash}*"), reverse=True):
        folder = RunFolder(path)
        try:
            facts = folder.read()
            folder.configuration()
        except RequestError:
            continue
        if facts.get("job_hash") == job.hash:
            found.append((facts["status"] == "finished", folder))
    return max(found, key=lambda item: item[0])[1] if found else None


def new_folder(job: FrozenJob, *, threads: int, position: int, total: int) -> RunFolder:
    """Makes a job's folder; one that a killed sweep had only begun to make is removed, and no other.

    Args:
        job: checked and frozen.
        threads: of each rank, where the job does not say.
        position: which job of its sweep this is, from 1.
        total: how many jobs the sweep has.

    Raises:
        RequestError: if the folder cannot be made.
    """
    for path in job.experiment.glob(f"*-{job.hash}*"):
        first = RunFolder(path).configuration_file.name  # written before all else
        if path.is_dir() and all(part.name == first or part.suffix == ".part" for part in path.iterdir()):
            shutil.rmtree(path, ignore_errors=True)
    trainer = job.settings["trainer"]
    own = {**trainer, "num_threads": trainer["num_threads"] or threads}
    frozen = replace(job, settings={**job.settings, "trainer": own})
    return frozen.create_folder(position=position, total=total)


def is_free(folder: RunFolder) -> bool:
    """Tells whether no process trains in a folder; one that is gone holds nobody up."""
    if not folder.path.is_dir():
        return True
    try:
        with folder.held():
            return True
    except RequestError:
        return False
