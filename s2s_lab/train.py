"""Trains one model, or sweeps with -m: each job is a process of its own with a folder, a seed and a tracker run."""

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2s_lab.sweeps.early import EarlyJob

ABOUT = """Trains a model into a new run folder: s2s-train data=multi30k model=gru_attention paths.data=DIR.
s2s-train -m model=rnn,lstm,gru seed=1,2,3 sweeps; the same command goes on where it was interrupted.
s2s-train resume=RUN continues a run as if it had never stopped; init=RUN starts a new one from its weights."""


class Trainings:
    """The trainings that one command asks for.

    Args:
        sweep: whether they are the launcher's to start.
    """

    def __init__(self, *, sweep: bool) -> None:
        self.sweep = sweep
        self.jobs: dict[tuple[str, ...], Any] = {}
        self.early: EarlyJob | None = None

    def check(self, jobs: Sequence[Any]) -> None:
        """Checks all jobs before the first one starts; those that differ in the seed alone are built once."""
        if jobs and not self.sweep:
            self._load_early(jobs[0])
        try:
            self._check_each(jobs)
        except BaseException:
            if self.early is not None:
                self.early.close()
            raise

    def _check_each(self, jobs: Sequence[Any]) -> None:
        from s2s_lab.assemble.job import check_parts, check_resumed

        checked = set()
        for job in jobs:
            self.jobs[tuple(job.hydra.overrides.task)] = job
            parts = tuple(word for word in job.hydra.overrides.task if not word.startswith("seed="))
            if job.resume is not None:
                check_resumed(job, job.hydra)
            elif parts not in checked:
                checked.add(parts)
                with self._named(job, among=len(jobs)):
                    check_parts(job)

    @contextlib.contextmanager
    def _named(self, job: Any, *, among: int) -> Iterator[None]:
        """Adds the job's own words to a request that is refused, where there are other jobs."""
        from s2s_lab.faults import RequestError

        try:
            yield
        except RequestError as error:
            words = " ".join(job.hydra.overrides.task)
            raise RequestError(f"{error}; in the job {words}") if among > 1 and words else error from error

    def _load_early(self, job: Any) -> None:
        """Lets the process of a training load while the rest of it is checked."""
        from s2s_lab.sweeps.early import EarlyJob

        if job.launch and job.resume is None and job.trainer.devices == job.trainer.num_nodes == 1:
            self.early = EarlyJob(job.trainer)

    def prepare(self, jobs: Sequence[Sequence[str]], *, search: Sequence[str] = ()) -> list[Any]:
        """Composes, checks and freezes the jobs of a sweep.

        Args:
            jobs: words of each; those that were checked before are not composed again.
            search: the word of Hydra's search path, where there are options of one's own.

        Raises:
            RequestError: if one of them is wrong, or two are the same job.
        """
        from s2s_lab.assemble.configuration import compose_each
        from s2s_lab.assemble.job import freeze
        from s2s_lab.faults import RequestError

        new = [list(words) for words in jobs if tuple(words) not in self.jobs]
        self.check(compose_each("train", new, search=search))
        configurations = [self.jobs[tuple(words)] for words in jobs]
        if any(configuration.resume for configuration in configurations):
            raise RequestError("resume= goes on with one run; a sweep goes on by the command that started it")
        fingerprints: dict[str, Any] = {}
        found = [
            freeze(configuration, configuration.hydra, fingerprints=fingerprints) for configuration in configurations
        ]
        first: dict[tuple[str, str], str] = {}
        for job in found:
            earlier = first.setdefault((str(job.experiment), job.hash), job.label)
            if earlier != job.label:
                raise RequestError(
                    f"'{earlier}' and '{job.label}' are the same job: they differ in nothing that decides a result"
                )
        return found

    def higher_is_better(self, settings: dict[str, Any]) -> bool:
        """Which way the monitored score of a job is better, for searches.

        Args:
            settings: of a frozen job.
        """
        from s2s_lab.assemble.monitored import higher_is_better

        return higher_is_better(settings)

    def __call__(self, configuration: Any) -> None:
        """Runs one training in the foreground."""
        from hydra.core.hydra_config import HydraConfig

        from s2s_lab.assemble.job import freeze
        from s2s_lab.records.run_folder import RunFolder
        from s2s_lab.sweeps.process import job_command, run_job

        resumed = configuration.resume is not None
        if resumed:
            folder = RunFolder.open(configuration.resume)
        else:
            folder = freeze(configuration, HydraConfig.get()).create_folder()
        print(f"run {folder.path}", flush=True)
        if resumed and folder.read()["status"] == "finished" and not folder.open_evaluations():
            print("it is finished: nothing is left to do", flush=True)
            return
        how = {"resume": resumed, "accept_changed_data": configuration.accept_changed_data}
        if configuration.launch:
            run_job(folder, **how, early=self.early)
        else:
            print(shlex.join(job_command(folder, **how)), flush=True)


def main() -> None:
    """Entry point of `s2s-train`."""
    from s2s_lab.assemble.command import run_command

    words = set(sys.argv)
    elsewhere = any(word.startswith(("hydra/launcher=", "hydra.launcher.warm=")) for word in words)
    sweep = bool({"-m", "--multirun"} & words)
    if sweep and not {"-h", "--help", "--cfg", "-c"} & words and not elsewhere:
        from s2s_lab.sweeps.backends.local import warm_early

        warm_early()  # it loads while the jobs are composed and checked
    trainings = Trainings(sweep=sweep)
    run_command("train", "s2s-train", ABOUT, trainings, trainings.check, _register)


def _register() -> None:
    from s2s_lab.sweeps.launcher import LabLauncher, LabSweeper
    from s2s_lab.sweeps.plugins import register
    from s2s_lab.sweeps.search.sweeper import OptunaSearch
    from s2s_lab.sweeps.search.wandb_sweep import WandbSweep

    register(LabLauncher, LabSweeper, OptunaSearch, WandbSweep)


if __name__ == "__main__":
    main()
