"""One job: one process that trains from one frozen configuration file; `python -m s2s_lab.job FILE`.

What evaluations.yaml in the run folder asks for is done after the training, and alone where that is finished.
"""

import argparse
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2s_lab.records.run_folder import RunFolder

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What asks a job to save its state and to end."""


def main(words: Sequence[str] | None = None) -> None:
    """Trains the job of the configuration file named on the command line, alone or as one rank of several.

    A job of several ranks that nobody has started yet starts them, and waits for them.

    Exit codes: 0 done, 1 failed (the traceback is in error.txt), 2 refused, 3 failed because another rank ended, 130
    interrupted with its state saved.

    Args:
        words: of the command line; this process's own by default.
    """
    from s2s_lab.faults import RankLostError, RequestError, RunError, was_told
    from s2s_lab.records.disk_faults import disk_fault
    from s2s_lab.records.run_folder import RunFolder
    from s2s_lab.sweeps.ranks import LOST, WATCHED, own_rank

    arguments = _parser().parse_args(words)
    if arguments.serve:
        _serve()
        return
    if arguments.wait:
        _wait()
        return
    if arguments.configuration is None:
        _parser().error("a configuration file is expected")
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # they wait until there is somebody to answer them
    signal.signal(signal.SIGTERM, _interrupt)
    folder, rank = RunFolder(arguments.configuration.resolve().parent), own_rank()
    watched = WATCHED in os.environ  # whoever watches all ranks tells which of them failed first
    held = contextlib.ExitStack()
    several = _claim(folder, rank, held, resume=arguments.resume)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        accept = arguments.accept_changed_data
        loggers = _train(folder, rank, several, resume=arguments.resume, accept_changed_data=accept)
        planned = rank is None and bool(folder.open_evaluations())
        try:
            if planned:
                _evaluate(folder)
        finally:
            _end_loggers(folder, loggers, evaluated=planned)
    except KeyboardInterrupt:
        with _undisturbed():
            kept = "nothing was trained yet"
            if any(folder.checkpoints.glob("*.ckpt")):
                kept = f"its last checkpoint is kept, s2s-train resume={folder.path} goes on"
            if not rank:
                print(f"s2s-train: interrupted; {kept} in {folder.path}", file=sys.stderr)
            _end(folder, rank, "interrupted", "interrupted")
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        with _undisturbed():
            known = disk_fault(error, folder.path) or (error if isinstance(error, RequestError | RunError) else None)
            line = " ".join(str(known or f"{type(error).__name__}: {error}; see {folder.error_file}").split())
            lost, refused = isinstance(known, RankLostError), isinstance(known, RequestError)
            if not was_told(error) and (not watched or (not rank and not lost)):
                print(f"s2s-train: {line}", file=sys.stderr)
            # A run that may not go on now is as it was.
            status = "interrupted" if refused and arguments.resume else "failed"
            _end(folder, rank, status, line if known else traceback.format_exc())
        sys.exit(2 if refused else LOST if lost else 1)


def _claim(folder: "RunFolder", rank: int | None, held: contextlib.ExitStack, *, resume: bool) -> bool:
    """Takes the folder for this process, or ends it with one line and writes nothing: the folder may be another's.

    Args:
        folder: of the run.
        rank: of this process; None where it is no rank, and starts them where there are several.
        held: keeps the folder for the process's life.
        resume: whether what was trained there goes on.

    Returns:
        Whether the job has several ranks that are still to be started.
    """
    from s2s_lab.faults import RequestError

    try:
        several = rank is None and _ranks(folder) > 1
        if not rank and not several:
            held.enter_context(folder.held())
        if not rank and not resume:
            _check_new(folder)
        return several
    except RequestError as error:
        line, code = str(error), 2
    except KeyboardInterrupt:  # taken by a thread that does not let it wait
        line, code = f"interrupted before it had begun in {folder.path}", 128 + signal.SIGINT
    print(f"s2s-train: {line}", file=sys.stderr)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m s2s_lab.job", description="trains one frozen job")
    parser.add_argument("configuration", type=Path, nargs="?", help="config.yaml of a run folder")
    parser.add_argument("--resume", action="store_true", help="go on from the newest whole checkpoint")
    parser.add_argument("--accept-changed-data", action="store_true", help="although the corpus was changed since")
    parser.add_argument("--wait", action="store_true", help="load, then take these words as a line of standard input")
    parser.add_argument(
        "--serve", action="store_true", help="load everything, and fork a process for each job asked for"
    )
    return parser


def _train(
    folder: "RunFolder", rank: int | None, several: bool, *, resume: bool, accept_changed_data: bool
) -> list[Any]:
    """Trains what is not finished: as this rank, or by starting all of them; gives this process's loggers."""
    if resume and folder.read()["status"] == "finished":
        return []
    if several:
        from s2s_lab.sweeps.process import run_job

        run_job(folder, resume=resume, accept_changed_data=accept_changed_data)
        return []
    from s2s_lab.assemble.experiment import train

    if not rank and resume:
        folder.resume()
    return train(folder, resume=resume, accept_changed_data=accept_changed_data)


def _evaluate(folder: "RunFolder") -> None:
    """Does the evaluations that are planned and not recorded."""
    from s2s_lab.assemble.planned import evaluate_planned

    evaluate_planned(folder)


def _end_loggers(folder: "RunFolder", loggers: list[Any], *, evaluated: bool) -> None:
    """Hands the scores on; the trackers of a training that other processes did, or an earlier one, begin again."""
    if not loggers and evaluated and any(folder.configuration()["logger"].values()):
        from s2s_lab.assemble.experiment import reopened_trackers

        loggers = reopened_trackers(folder)
    if loggers:
        from s2s_lab.assemble.training_record import end_loggers

        end_loggers(folder, loggers)


def _serve() -> None:
    """Loads what jobs need, then forks one process for each that is asked for on standard input."""
    import gc
    import importlib
    import pkgutil

    from s2s_lab.sweeps.fork_server import serve

    for room in ("assemble", "data", "decoding", "inference", "metrics", "models", "training"):
        package = importlib.import_module(f"s2s_lab.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            with contextlib.suppress(ImportError):  # a tracker whose package is not installed
                importlib.import_module(module.name)
    gc.freeze()  # what is loaded stays shared with the children
    serve(main)


def _wait() -> None:
    """Loads what every training needs, then does the job that standard input tells, to which interrupts are left."""
    import importlib

    from s2s_lab.sweeps.early import wait_for_words

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # `main` lets it through
    importlib.import_module("s2s_lab.assemble.experiment")
    wait_for_words(main)


def _ranks(folder: "RunFolder") -> int:
    settings = folder.configuration()["trainer"]
    return settings.get("devices", 1) * settings.get("num_nodes", 1)


def _check_new(folder: "RunFolder") -> None:
    """Refuses to train in a folder from the beginning where that would write over what was trained there.

    Raises:
        RequestError: if the folder holds a checkpoint, or a training that is finished.
    """
    from s2s_lab.faults import RequestError

    if any(folder.checkpoints.glob("*.ckpt")) or folder.read()["status"] == "finished":
        raise RequestError(f"{folder.path} holds a training already: --resume goes on with it")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Lets no further signal come between the end of a training and its record."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(folder: "RunFolder", rank: int | None, status: str, text: str) -> None:
    """Says how this process ended, as far as the disk lets it: rank 0 in the run's record, the others in own files."""
    from s2s_lab.faults import RequestError
    from s2s_lab.sweeps.verdict import error_file

    with contextlib.suppress(OSError):
        error_file(folder, rank or 0).write_text(text.rstrip() + "\n", encoding="utf-8")
    if rank:
        return
    with contextlib.suppress(OSError, RequestError):
        if folder.read()["status"] != "finished":  # the training stays so where an evaluation failed
            folder.finish(status)


if __name__ == "__main__":
    main()
