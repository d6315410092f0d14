"""Stands in for a job: `python stub.py HOW FOLDER` ends in the way that a test asks for."""

import json
import os
import signal
import sys
import time
from pathlib import Path

how, folder = sys.argv[1], Path(sys.argv[2])


def saved(number, frame):
    (folder / "saved").touch()
    sys.exit(130)


if how == "sleep":
    signal.signal(signal.SIGTERM, saved)
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
shown = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "SLURM_PROCID", "OWN")
seen = {"pid": os.getpid(), "parent": os.getppid(), "cores": sorted(os.sched_getaffinity(0)), "folder": os.getcwd()}
seen["environment"] = {name: os.environ[name] for name in shown if name in os.environ}
(folder / "seen.new").write_text(json.dumps(seen))
(folder / "seen.new").rename(folder / "seen")
if how in ("sleep", "stubborn"):
    time.sleep(120)
    sys.exit(99)
if how == "brief":
    time.sleep(1.5)
    sys.exit(0)
if how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(how))
