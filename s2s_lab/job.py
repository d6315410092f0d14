"""One job: one process that trains from one frozen configuration file; `python -m s2s_lab.job FILE`."""

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
    """Trains the job of the configuration file named on the command line, alone or as one rank of several.

    A job of several ranks that nobody has started yet starts them, and waits for them.

    Exit codes: 0 done, 1 failed (the traceback is in error.txt), 2 refused, 3 failed because another rank ended, 130
    interrupted with its state saved.
    """
    from s2s_lab.faults import RankLostError, RequestError, RunError
    from s2s_lab.records.run_folder import RunFolder
    from s2s_lab.sweeps.process import run_job
    from s2s_lab.sweeps.ranks import LOST, WATCHED, own_rank

    if len(sys.argv) != 2:
        print("usage: python -m s2s_lab.job RUN/config.yaml", file=sys.stderr)
        sys.exit(2)
    signal.signal(signal.SIGTERM, _interrupt)
    folder, rank = RunFolder(Path(sys.argv[1]).resolve().parent), own_rank()
    watched = WATCHED in os.environ  # whoever watches all ranks tells which of them failed first
    try:
        if rank is None and _ranks(folder) > 1:
            run_job(folder)
            return
        from s2s_lab.assemble.experiment import train

        train(folder)
    except (RequestError, RunError) as error:
        line = " ".join(str(error).split())
        if not watched or (not rank and not isinstance(error, RankLostError)):
            print(f"s2s-train: {line}", file=sys.stderr)
        _end(folder, rank, "failed", line)
        sys.exit(2 if isinstance(error, RequestError) else LOST if isinstance(error, RankLostError) else 1)
    except KeyboardInterrupt:
        kept = "its last checkpoint is kept" if any(folder.checkpoints.glob("*.ckpt")) else "nothing was trained yet"
        if not rank:
            print(f"s2s-train: interrupted; {kept} in {folder.path}", file=sys.stderr)
        _end(folder, rank, "interrupted", "interrupted")
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        if not watched or not rank:
            print(f"s2s-train: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        _end(folder, rank, "failed", traceback.format_exc())
        sys.exit(1)


def _ranks(folder: "RunFolder") -> int:
    settings = folder.configuration()["trainer"]
    return settings["devices"] * settings["num_nodes"]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(folder: "RunFolder", rank: int | None, status: str, text: str) -> None:
    """Says how this process ended: rank 0 in the run's record, the others in files of their own."""
    from s2s_lab.sweeps.verdict import error_file

    error_file(folder, rank or 0).write_text(text.rstrip() + "\n", encoding="utf-8")
    if not rank:
        folder.finish(status)


if __name__ == "__main__":
    main()
