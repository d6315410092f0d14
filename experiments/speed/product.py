"""Runs the product's commands as a user does, in processes of their own, and says which words they are given."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from experiments.speed.corpus import CorpusFiles, word
from experiments.speed.rates import LEAST_ROWS
from experiments.speed.workloads import Plan, Workload
from s2s_lab.faults import RunError
from s2s_lab.records.run_folder import RunFolder, find_runs

NEVER = 1_000_000  # optimizer steps
LOG_EVERY = 5  # optimizer steps between two rows of metrics.csv
PATIENCE_S = 300.0  # the longest that rows are waited for
LOOK_S = 0.02  # between two looks at a file that is waited for


@dataclass(frozen=True)
class Bench:
    """What all measurements of one call share.

    Attributes:
        plan: workloads and settings.
        corpus: files of the corpus.
        scratch: folder of runs, encoded corpora and models.
        threads: of every process, or None for all cores.
    """

    plan: Plan
    corpus: CorpusFiles
    scratch: Path
    threads: int | None

    def words(self, workload: Workload, setting: Sequence[str] = (), allocator: str | None = None) -> list[str]:
        """What `s2s-train` is told of model, data, arithmetic and allocator (None: its own default)."""
        words = [*self.plan.data, *self.corpus.words(), *self.plan.training, *workload.words, *setting]
        words += [] if allocator is None else [f"trainer.allocator={allocator}"]
        words += [] if self.threads is None else [f"trainer.num_threads={self.threads}"]
        return [*words, "logger=csv", "callbacks=quiet", "metrics.monitor=loss", word("paths.outputs", self.scratch)]


class LeftOut:
    """Measurements that fail are told and left out, as long as not all of them do."""

    def __init__(self) -> None:
        self._failed: RunError | None = None

    @contextmanager
    def told(self) -> Iterator[None]:
        """One measurement; whatever follows a failure within it is not done."""
        try:
            yield
        except RunError as error:
            say(f"  left out: {error}")
            self._failed = error

    def check(self, found: Sized) -> None:
        """Looks, at the end, whether anything was measured.

        Args:
            found: what was.

        Raises:
            RunError: the last failure, if that is nothing.
        """
        if not found and self._failed is not None:
            raise self._failed


def say(text: str) -> None:
    """Tells the user what is being measured."""
    print(text, file=sys.stderr, flush=True)


def run(name: str, words: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """Runs a command to its end.

    Args:
        name: train, evaluate or translate.
        words: its overrides.
        environment: variables beside this process' own.

    Returns:
        What it printed.

    Raises:
        RunError: if it ends with another code than 0; with the last line of its errors.
    """
    with started(name, words, environment=environment) as (process, errors):
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        out = process.stdout.read().decode()
        if process.wait() != 0:
            raise RunError(f"s2s-{name} ended with code {process.returncode}: {last_line(errors)}")
    return out


@contextmanager
def started(
    name: str, words: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Starts a command with pipes to its input and output; gives the process and the file of its errors.

    The process is asked to end, and waited for, when the context is left.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", f"s2s_lab.{name}", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield process, errors
        finally:
            if process.poll() is None:
                process.terminate()
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.stdout.read()
            process.stdout.close()
            process.wait()


def wait_for_rows(path: Path, rows: int, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    """Waits until metrics.csv has so many rows under its header.

    Raises:
        RunError: if the process has ended, or it takes too long.
    """
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and rows_of(path) < rows:
        if time.monotonic() > deadline:
            raise RunError(f"the training logged no {rows} rows within {PATIENCE_S:.0f} s")
        time.sleep(LOOK_S)
    if process.poll() is not None:
        raise RunError(f"the training ended with code {process.returncode}: {last_line(errors)}")


def rows_of(path: Path) -> int:
    """Rows under the header of metrics.csv; none while it is not there."""
    return max(0, path.read_bytes().count(b"\n") - 1) if path.is_file() else 0


def training_for(words: Sequence[str], *, warm_up: float, seconds: float) -> RunFolder:
    """Trains with `s2s-train` for so long and at least LEAST_ROWS rows after the warm-up, then interrupts it.

    Args:
        words: of model, data and arithmetic.
        warm_up: seconds after the first logged row.
        seconds: after the warm-up.

    Returns:
        The run folder, its record written; the caller removes it.

    Raises:
        RunError: if the training fails.
    """
    endless = [
        f"trainer.max_steps={NEVER}", f"trainer.validate_every={NEVER}", "trainer.validation_sentences=1",
        f"trainer.log_every={LOG_EVERY}", "experiment_name=measured",
    ]  # fmt: skip
    with started("train", [*words, *endless]) as (process, errors):
        folder = announced(process, errors)
        wait_for_rows(folder.metrics_csv, 1, process, errors)
        time.sleep(warm_up)
        warm = rows_of(folder.metrics_csv)
        time.sleep(seconds)
        wait_for_rows(folder.metrics_csv, warm + LEAST_ROWS, process, errors)
    status = folder.read()["status"]
    if status != "interrupted":
        raise RunError(f"the training was {status} instead of interrupted: {last_line(errors)}")
    return folder


def announced(process: subprocess.Popen[bytes], errors: IO[bytes]) -> RunFolder:
    """The run folder that `s2s-train` prints first.

    Raises:
        RunError: if it ends without.
    """
    assert process.stdout is not None
    line = process.stdout.readline().decode().strip()
    if not line.startswith("run "):
        process.wait()
        raise RunError(f"s2s-train ended with code {process.returncode}: {last_line(errors)}")
    return RunFolder(Path(line.removeprefix("run ")))


def trained(bench: Bench, workload: Workload, steps: int, *, fresh: bool = False) -> RunFolder:
    """A run of this workload trained for so many steps, in bfloat16; an earlier one where there is one.

    Args:
        bench: what all measurements share.
        workload: the model.
        steps: optimizer steps.
        fresh: whether earlier ones are left aside.
    """
    return finished_run(
        bench,
        f"trained-{workload.name}-{steps}",
        bench.words(workload, bench.plan.settings["bfloat16"]),
        steps,
        about=f"train {workload.name} for {steps} steps, to have outputs of sensible length",
        fresh=fresh,
    )


def finished_run(
    bench: Bench, name: str, words: Sequence[str], steps: int, *, about: str, fresh: bool = False
) -> RunFolder:
    """A run trained for so many steps and validated at its end; an earlier one with the same words where there is one.

    Args:
        bench: what all measurements share.
        name: what its folder begins with.
        words: of model, data and arithmetic.
        steps: optimizer steps.
        about: what the user is told when it is started.
        fresh: whether earlier ones are left aside.

    Raises:
        RunError: if it fails.
    """
    words = [
        *words, "metrics.scores.chrf=null", "metrics.scores.ter=null",
        f"trainer.max_steps={steps}", f"trainer.validate_every={steps}", "trainer.validation_sentences=1",
    ]  # fmt: skip
    key = hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
    name = f"{name}-{key}"
    place = bench.scratch / name
    if fresh and place.is_dir():
        shutil.rmtree(place)
    if place.is_dir():
        finished = [found for found in find_runs([place]) if found.read()["status"] == "finished"]
        if finished:
            return finished[-1]
    say(about)
    run("train", [*words, f"experiment_name={name}"])
    made = find_runs([place])[-1]
    shutil.rmtree(made.checkpoints, ignore_errors=True)  # gigabytes that no measurement reads
    return made


def last_line(errors: IO[bytes]) -> str:
    """The last line that a process wrote to its errors."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it printed no error"
