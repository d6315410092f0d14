"""One training with clocks on its parts: takes {run, warm_up, seconds}, prints the shares of time."""

import json
import sys
from pathlib import Path


def main() -> None:
    """Trains the frozen run folder `run` for so long and prints one line of JSON."""
    from experiments.speed.clocks import Stopwatch, attached
    from s2s_lab.assemble.experiment import train
    from s2s_lab.records.run_folder import RunFolder

    task = json.loads(sys.argv[1])
    stopwatch = Stopwatch(warm_up=task["warm_up"], seconds=task["seconds"])
    try:
        with attached(stopwatch):
            train(RunFolder(Path(task["run"])))
    except KeyboardInterrupt:
        pass
    print(json.dumps(stopwatch.shares()))


if __name__ == "__main__":
    main()
