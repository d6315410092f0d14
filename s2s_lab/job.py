"""One job: one process that trains from one frozen configuration file; `python -m s2s_lab.job FILE`."""

import argparse
import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2s_lab.records.run_folder import RunFolder


def main() -> None:
    """Trains the job of the configuration file named on the command line.

    Exit codes: 0 done, 1 failed (the traceback is in error.txt), 2 refused, 130 interrupted with its state saved.
    """
    from s2s_lab.faults import RequestError, RunError
    from s2s_lab.records.disk_faults import disk_fault
    from s2s_lab.records.run_folder import RunFolder

    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    folder = RunFolder(arguments.configuration.resolve().parent)
    first = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0
    held = contextlib.ExitStack()
    try:
        if first:
            held.enter_context(folder.held())
    except RequestError as error:  # the folder is not ours to write into
        print(f"s2s-train: {error}", file=sys.stderr)
        sys.exit(2)
    try:
        from s2s_lab.assemble.experiment import train

        if first and arguments.resume:
            folder.resume()
        train(folder, resume=arguments.resume, accept_changed_data=arguments.accept_changed_data)
    except KeyboardInterrupt:
        kept = "its last checkpoint is kept" if any(folder.checkpoints.glob("*.ckpt")) else "nothing was trained yet"
        print(f"s2s-train: interrupted; {kept} in {folder.path}", file=sys.stderr)
        _end(folder, "interrupted", "interrupted")
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        known = disk_fault(error, folder.path) or (error if isinstance(error, RequestError | RunError) else None)
        line = " ".join(str(known or f"{type(error).__name__}: {error}; see {folder.error_file}").split())
        print(f"s2s-train: {line}", file=sys.stderr)
        _end(folder, "failed", line if known else traceback.format_exc())
        sys.exit(2 if isinstance(known, RequestError) else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m s2s_lab.job", description="trains one frozen job")
    parser.add_argument("configuration", type=Path, help="config.yaml of a run folder")
    parser.add_argument("--resume", action="store_true", help="go on from the newest whole checkpoint")
    parser.add_argument("--accept-changed-data", action="store_true", help="although the corpus was changed since")
    return parser


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(folder: "RunFolder", status: str, text: str) -> None:
    """Records how the job ended, as far as the disk lets it: the reason itself has been printed."""
    from s2s_lab.faults import RequestError

    with contextlib.suppress(OSError):
        folder.error_file.write_text(text + "\n", encoding="utf-8")
    with contextlib.suppress(OSError, RequestError):
        folder.finish(status)


if __name__ == "__main__":
    main()
