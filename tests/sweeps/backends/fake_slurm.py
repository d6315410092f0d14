"""A SLURM of one machine, as far as the tests need it: called as sbatch, srun, scancel or sacct.

Everything lies in the folder $FAKE_SLURM: for each job its state, and the process that srun became. A file `pending`
there keeps jobs from starting, and `refuse` makes sbatch fail.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(os.environ["FAKE_SLURM"])


def state(job: str, new: str | None = None) -> str:
    file = ROOT / f"{job}.state"
    if new is not None:
        file.write_text(new)
    return file.read_text()


def sbatch(script: str) -> None:
    if (ROOT / "refuse").exists():
        sys.exit("sbatch: error: invalid partition specified: nowhere")
    number = 1000 + len(list(ROOT.glob("*.sh")))
    text = Path(script).read_text()
    (ROOT / f"{number}.sh").write_text(text)
    array = re.search(r"^#SBATCH --array=0-(\d+)", text, re.MULTILINE)
    for index in range(int(array[1]) + 1) if array else [None]:
        job = f"{number}" if index is None else f"{number}_{index}"
        state(job, "PENDING")
        own = {"SLURM_JOB_ID": job, "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
        if index is not None:
            own |= {"SLURM_ARRAY_JOB_ID": str(number), "SLURM_ARRAY_TASK_ID": str(index)}
        subprocess.Popen(
            [sys.executable, __file__, "machine", job, str(number)],
            env={**os.environ, **own}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    print(f"Submitted batch job {number}")


def machine(job: str, number: str) -> None:
    while (ROOT / "pending").exists() or state(job) != "PENDING":
        if state(job) != "PENDING":
            return
        time.sleep(0.05)
    state(job, "RUNNING")
    done = subprocess.run(["bash", str(ROOT / f"{number}.sh")])
    if state(job) == "RUNNING":
        state(job, "FAILED" if done.returncode else "COMPLETED")


def srun(*words: str) -> None:
    words = list(words)
    job = os.environ["SLURM_JOB_ID"]
    names = {"%j": job, "%A": job.split("_")[0], "%a": job.split("_")[-1], "%t": "0"}
    while words[0].startswith("--"):
        option = words.pop(0)
        if option in ("--output", "--error"):
            path = re.sub("%.", lambda found: names[found[0]], words.pop(0))
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1 if option == "--output" else 2)
    (ROOT / f"{job}.process").write_text(str(os.getpid()))
    os.execvp(words[0], words)


def scancel(option: str, job: str) -> None:
    with (ROOT / "scancelled").open("a") as file:
        file.write(f"{option}\n")
    if option == "--state=PENDING":
        if state(job) == "PENDING":
            state(job, "CANCELLED by 0")
        return
    name = option.removeprefix("--signal=")
    process = ROOT / f"{job}.process"
    if state(job) != "RUNNING" or not process.exists():
        sys.exit("scancel: error: no such job step")
    if name == "KILL":
        state(job, "CANCELLED by 0")
    os.kill(int(process.read_text()), getattr(signal, f"SIG{name}"))


def sacct(*words: str) -> None:
    print("JobID|State|NodeList")
    asked = {words[index + 1] for index, word in enumerate(words) if word == "-j"}
    for file in ROOT.glob("*.state"):
        if file.stem.split("_")[0] in asked:
            print(f"{file.stem}|{file.read_text()}|here")


if __name__ == "__main__":
    inside = sys.argv[1:2] == ["machine"]
    called = sys.argv.pop(1) if inside else Path(sys.argv[0]).name
    globals()[called](*sys.argv[1:])
