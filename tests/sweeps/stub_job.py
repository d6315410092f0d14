"""Stands in for `python -m s2s_lab.job FILE [--resume]`: trains nothing, but keeps the same records in the same order.

Its state is a chain of sums that depends on every step; the `stub` section of its configuration says what goes wrong.
"""

import hashlib
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TextIO

from s2s_lab.records.durable import write_durably
from s2s_lab.records.run_folder import RunFolder


def main() -> None:
    folder = RunFolder(Path(sys.argv[1]).parent)
    settings = folder.configuration()["stub"]
    stopped = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    with folder.held():
        if "--resume" in sys.argv:
            folder.resume()
        state = folder.checkpoints / "last"
        folder.checkpoints.mkdir(exist_ok=True)
        step, text = 0, str(settings["seed"])
        if state.is_file():
            number, text = state.read_text().split()
            step = int(number)
        (folder.path / "starts").open("a").write(f"{step}\n")
        tried = len((folder.path / "starts").read_text().split())
        while step < settings["steps"]:
            step += 1
            text = hashlib.sha256(f"{text} {step}".encode()).hexdigest()
            write_durably(state, partial(write, f"{step} {text}"))
            history = [[number, number / 10] for number in range(1, step + 1)]
            monitored = {"monitor": "loss", "higher_is_better": True, "history": history}
            folder.update(
                {"steps": step, "total_steps": settings["steps"], "validations": monitored, "seconds": step / 9}
            )
            time.sleep(settings.get("pause", 0.0))
            if step >= settings.get("fails_at", step + 1) and tried <= settings.get("failures", 1):
                fail(folder, settings["how"])
            if stopped:
                folder.finish("interrupted")
                sys.exit(130)
        finishes = folder.read().get("finishes", 0) + 1
        best = {"metric": "loss", "value": int(text[:8], 16) / 7, "step": step}
        folder.finish("finished", {"best": best, "finishes": finishes})


def write(text: str, file: TextIO) -> None:
    file.write(text)


def fail(folder: RunFolder, how: str) -> None:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "silent":
        sys.exit(0)
    refused = how == "refused"
    line = {"memory": "out of memory at step 1", "error": "ZeroDivisionError: division by zero"}.get(
        how, "this is wrong"
    )
    folder.error_file.write_text(f"Traceback ...\n{line}\n")
    folder.finish("failed")
    sys.exit(2 if refused else 1)


if __name__ == "__main__":
    main()
