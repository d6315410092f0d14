"""Start-up, measured from outside: to the first optimizer step, to the first translation, and of a sweep's jobs."""

import shutil
import time
from typing import Any

from experiments.speed.corpus import word
from experiments.speed.product import Bench, announced, last_line, run, say, started, wait_for_rows
from experiments.speed.rates import medians
from s2s_lab.faults import RunError
from s2s_lab.records.run_folder import RunFolder, find_runs

TRAIN, TRANSLATE = "s2s-train on SCAN, to its first optimizer step", "s2s-translate, to its first translation"
JOB = "each further job of s2s-train -m, one step of a tiny network"
GOALS = {TRAIN: 10.0, TRANSLATE: 5.0, JOB: 1.0}  # seconds
JOBS = 6  # of a sweep
TINY = (
    "data=reverse", "data.size=50", "model=gru", "embedding.embedding_size=8", "encoder.hidden_size=8",
    "decoder.hidden_size=8", "trainer.max_steps=1", "trainer.validate_every=1", "trainer.validation_sentences=1",
    "logger=csv", "callbacks=quiet", "experiment_name=jobs", "hydra.launcher.jobs_at_once=1",
)  # fmt: skip
SCAN = ("experiment=scan", "model=gru_attention")
SENTENCE = "jump around left twice and walk"


def measure_startup(bench: Bench, *, repeats: int) -> list[dict[str, Any]]:
    """Starts each command `repeats` times.

    Args:
        bench: what all measurements share.
        repeats: how often; rows hold medians. The training is started once more before, to fill the cache of its data.

    Returns:
        A row for each command and state of the cache: seconds, and the goal where there is one.
    """
    shutil.rmtree(bench.scratch / "startup", ignore_errors=True)
    empty = [_first_step(bench)]
    filled = [_first_step(bench) for _ in range(repeats)]
    model = _model(bench)
    translated = [_first_translation(bench, model) for _ in range(repeats)]
    warm, cold = ([_further_job(bench, warm=kind) for _ in range(repeats)] for kind in (True, False))
    found = (
        (TRAIN, "empty", empty, GOALS[TRAIN]),
        (TRAIN, "filled", filled, GOALS[TRAIN]),
        (TRANSLATE, "-", translated, GOALS[TRANSLATE]),
        (JOB, "filled", warm, GOALS[JOB]),
        (f"{JOB}, with hydra.launcher.warm=false", "filled", cold, None),
    )
    return [
        {"command": command, "cache": cache, **medians(records), "goal_s": goal, "rounds": records}
        for command, cache, records, goal in found
    ]


def _scan_words(bench: Bench) -> list[str]:
    threads = [] if bench.threads is None else [f"trainer.num_threads={bench.threads}"]
    return [*SCAN, *threads, word("paths.outputs", bench.scratch / "startup")]


def _first_step(bench: Bench) -> dict[str, float]:
    say("start s2s-train")
    words = [*_scan_words(bench), "trainer.log_every=1", "experiment_name=first-step"]
    began = time.perf_counter()
    with started("train", words) as (process, errors):
        folder = announced(process, errors)
        wait_for_rows(folder.metrics_csv, 1, process, errors)
        seconds = time.perf_counter() - began
    shutil.rmtree(folder.path)
    return {"seconds": round(seconds, 2)}


def _model(bench: Bench) -> RunFolder:
    """A barely trained model of SCAN; how long its outputs are does not matter, for it is asked for one sentence."""
    say("train a model of SCAN for a few steps")
    words = [
        *_scan_words(bench), "logger=csv", "callbacks=quiet", "trainer.max_steps=20", "trainer.validate_every=20",
        "trainer.validation_sentences=1", "experiment_name=model",
    ]  # fmt: skip
    run("train", words)
    return find_runs([bench.scratch / "startup" / "model"])[-1]


def _first_translation(bench: Bench, model: RunFolder) -> dict[str, float]:
    say("start s2s-translate")
    words = [word("run", model.path), *([] if bench.threads is None else [f"num_threads={bench.threads}"])]
    began = time.perf_counter()
    with started("translate", words) as (process, errors):
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{SENTENCE}\n".encode())
        process.stdin.close()
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        if not line:
            process.wait()
            raise RunError(f"s2s-translate ended with code {process.returncode}: {last_line(errors)}")
    return {"seconds": round(seconds, 2)}


def _further_job(bench: Bench, *, warm: bool) -> dict[str, float]:
    """Seconds from the end of a sweep's second job to the end of its last, for each job between."""
    say(f"sweep over {JOBS} jobs of one step, {'forked' if warm else 'each a new process'}")
    outputs = bench.scratch / "startup" / "jobs"
    shutil.rmtree(outputs, ignore_errors=True)
    threads = [f"trainer.num_threads={bench.threads or 1}"]
    seeds = f"seed={','.join(str(seed) for seed in range(1, JOBS + 1))}"
    words = [*TINY, *threads, seeds, f"hydra.launcher.warm={str(warm).lower()}", word("paths.outputs", outputs)]
    run("train", ["-m", *words])
    ends = sorted(folder.run_file.stat().st_mtime for folder in find_runs([outputs]))
    return {"seconds": round((ends[-1] - ends[1]) / (JOBS - 2), 2)}
