"""Compares runs: means and intervals over seeds, paired significance, and where their configurations differ."""

import argparse
import os
import sys

ABOUT = """Compares runs: mean and 95 % interval over seeds, paired tests of all pairs, effect size, differing keys.

RUN is a run folder or a folder that holds some, e.g. outputs/demo. Runs whose configurations differ only in the seed
make one row. Rows that share a letter are not told apart. Scores with different signatures, on different splits or on
different data are refused."""


def main() -> None:
    """Entry point of `s2s-compare`; exit codes: 0 done, 1 failed, 2 wrong request, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="s2s-compare", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folder, or folder that holds run folders")
    parser.add_argument("--json", metavar="FILE", help="write the same facts to FILE")
    parser.add_argument("--metrics", metavar="NAME,...", help="compare only these scores")
    parser.add_argument("--samples", type=int, help="resamples of each test (default: 1000, more where rows are many)")
    parser.add_argument(
        "--test",
        choices=("bootstrap", "randomization"),
        default="bootstrap",
        help="paired bootstrap, or approximate randomization of rows with equally many seeds (default: %(default)s)",
    )
    arguments = parser.parse_args()
    sys.exit(_run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from s2s_lab.faults import RequestError, RunError, os_fault

    try:  # imports of what does the work included, which take seconds
        _compare(arguments)
    except (RequestError, RunError, OSError) as error:
        told = os_fault(error) if isinstance(error, OSError) else str(error)
        print(f"s2s-compare: {' '.join(told.split())}", file=sys.stderr)
        return 2 if isinstance(error, RequestError) else 1
    except KeyboardInterrupt:
        print("s2s-compare: interrupted", file=sys.stderr)
        return 130
    return 0


def _compare(arguments: argparse.Namespace) -> None:
    from pathlib import Path

    from rich.console import Console

    from s2s_lab.faults import RequestError
    from s2s_lab.reports.comparison import check_common_split, compare
    from s2s_lab.reports.facts import write_facts
    from s2s_lab.reports.runs import collect
    from s2s_lab.reports.terminal import print_comparison

    if arguments.json and (not Path(arguments.json).parent.is_dir() or Path(arguments.json).is_dir()):
        raise RequestError(f"--json {arguments.json}: expected a file in a folder that exists")
    only = arguments.metrics.split(",") if arguments.metrics else None
    comparison = compare(collect(arguments.runs), only=only, samples=arguments.samples, test=arguments.test)
    check_common_split(comparison)
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 200  # a file or a pipe has no width
    print_comparison(comparison, console)
    if arguments.json:
        write_facts(Path(arguments.json), comparison)


if __name__ == "__main__":
    main()
