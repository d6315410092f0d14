"""A sweep of stub jobs as a process of its own, to be killed: OUTPUTS JOBS STEPS PAUSE."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from stubs import stub_backend, stub_job

from s2s_lab.sweeps.engine import Engine
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.run_jobs import run_jobs

if __name__ == "__main__":
    outputs, count, steps, pause = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    jobs = [stub_job(outputs, seed, steps=steps, pause=pause) for seed in range(count)]
    # what is no part of a job's hash: how long it takes
    with Engine(EngineSettings(), total=count, backend=stub_backend()) as engine:
        run_jobs(engine, jobs)
