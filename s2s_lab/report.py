"""Writes the report: one self-contained HTML page about the runs, which works offline."""

import argparse
import sys

ABOUT = """Writes one self-contained HTML page about the runs: leaderboard with intervals, learning curves, quality
against speed, scores by length and word frequency, attention, outputs side by side. It works offline.

RUN is a run folder or a folder that holds some, e.g. outputs/demo."""


def main() -> None:
    """Entry point of `s2s-report`; exit codes: 0 done, 1 failed, 2 wrong request."""
    parser = argparse.ArgumentParser(
        prog="s2s-report", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folder, or folder that holds run folders")
    parser.add_argument("-o", "--output", metavar="FILE", default="report.html", help="default: %(default)s")
    parser.add_argument("--title", help="the page's heading")
    parser.add_argument(
        "--sentences", type=int, default=200, help="sentences shown side by side (default: %(default)s)"
    )
    parser.add_argument("--attention", type=int, default=12, help="sentences with attention (default: %(default)s)")
    parser.add_argument("--metrics", metavar="NAME,...", help="show only these scores")
    parser.add_argument("--samples", type=int, default=1000, help="resamples of each test (default: %(default)s)")
    arguments = parser.parse_args()
    sys.exit(_run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from s2s_lab.faults import RequestError, RunError

    try:
        _report(arguments)
    except (RequestError, RunError, OSError) as error:
        print(f"s2s-report: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, RequestError) else 1
    return 0


def _report(arguments: argparse.Namespace) -> None:
    from pathlib import Path

    from s2s_lab.faults import RequestError
    from s2s_lab.reports.comparison import compare
    from s2s_lab.reports.page import write_page
    from s2s_lab.reports.page_data import Limits
    from s2s_lab.reports.runs import collect

    path = Path(arguments.output)
    if not path.parent.is_dir() or path.is_dir():
        raise RequestError(f"-o {path}: expected a file in a folder that exists")
    for name in ("sentences", "attention"):
        if getattr(arguments, name) < 0:
            raise RequestError(f"--{name} {getattr(arguments, name)}: expected 0 or more")
    only = arguments.metrics.split(",") if arguments.metrics else None
    comparison = compare(collect(arguments.runs), only=only, samples=arguments.samples)
    limits = Limits(sentences=arguments.sentences, attention=arguments.attention)
    write_page(path, comparison, limits=limits, title=arguments.title)
    print(f"report {path} ({path.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
