"""Trains one model, or sweeps with -m: each job is a process of its own with a folder, a seed and a tracker run."""

import shlex
import time
from collections.abc import Sequence
from typing import Any

ABOUT = """Trains a model into a new run folder: s2s-train data=multi30k model=gru_attention paths.data=DIR.
s2s-train -m model=rnn,lstm,gru seed=1,2,3 sweeps; the run folder is printed first.
s2s-train resume=RUN continues a run as if it had never stopped; init=RUN starts a new one from its weights."""


def main() -> None:
    """Entry point of `s2s-train`."""
    from s2s_lab.assemble.command import run_command

    began = time.monotonic()
    total = done = 0

    def check(jobs: Sequence[Any]) -> None:
        from s2s_lab.assemble.job import check_parts, check_resumed

        nonlocal total
        total = len(jobs)
        for job in jobs:
            if job.resume is None:
                check_parts(job)
            else:
                check_resumed(job, job.hydra)

    def train(configuration: Any) -> None:
        from hydra.core.hydra_config import HydraConfig

        from s2s_lab.assemble.job import freeze
        from s2s_lab.records.run_folder import RunFolder
        from s2s_lab.sweeps.process import job_command, run_job

        nonlocal done
        resumed = configuration.resume is not None
        if resumed:
            folder = RunFolder.open(configuration.resume)
        else:
            folder = freeze(configuration, HydraConfig.get()).create_folder(position=done + 1, total=total)
        rest = (time.monotonic() - began) / done * (total - done) if done else None
        left = "" if rest is None else f", about {rest / 60:.0f} min left for all"
        print(f"run {folder.path}" + (f" ({done + 1} of {total}{left})" if total > 1 else ""), flush=True)
        done += 1
        if resumed and folder.read()["status"] == "finished":
            print("it is finished: nothing is left to do", flush=True)
            return
        how = {"resume": resumed, "accept_changed_data": configuration.accept_changed_data}
        if configuration.launch:
            run_job(folder, **how)
        else:
            print(shlex.join(job_command(folder, **how)), flush=True)

    run_command("train", "s2s-train", ABOUT, train, check)


if __name__ == "__main__":
    main()
