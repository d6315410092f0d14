"""Writes the report: one self-contained HTML page about the runs, which works offline."""

import argparse
import sys

ABOUT = """Writes one self-contained HTML page about the runs: leaderboard with intervals, effect sizes and significance
letters, scores of all seeds, a sweep's settings and their importance, the trials of a search, learning curves, quality
against speed, scores by length and word frequency, attention, outputs side by side; of decoding strategies their front
of quality and speed, beam curves, search errors by length and the beams of single sentences as trees. It works offline.
Runs that were scored on different data have tables of their own.

RUN is a run folder or a folder that holds some, e.g. outputs/demo; or a study, e.g. experiments/lake_baroni_2018, whose
claims are then shown with their verdicts, from its results.json. A study named alone brings its runs in
outputs/studies/NAME along, where there are some. Runs that were never decoded are ranked by their validations."""


def main() -> None:
    """Entry point of `s2s-report`; exit codes: 0 done, 1 failed, 2 wrong request, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="s2s-report", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folder, folder that holds some, or study")
    parser.add_argument("--study", metavar="FILE", help="study.yaml whose claims are shown above the runs")
    parser.add_argument("-o", "--output", metavar="FILE", default="report.html", help="default: %(default)s")
    parser.add_argument("--title", help="the page's heading")
    parser.add_argument(
        "--sentences", type=int, default=200, help="sentences shown side by side (default: %(default)s)"
    )
    parser.add_argument("--attention", type=int, default=12, help="sentences with attention (default: %(default)s)")
    parser.add_argument("--metrics", metavar="NAME,...", help="show only these scores")
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
        _report(arguments)
    except (RequestError, RunError, OSError) as error:
        told = os_fault(error) if isinstance(error, OSError) else str(error)
        print(f"s2s-report: {' '.join(told.split())}", file=sys.stderr)
        return 2 if isinstance(error, RequestError) else 1
    except KeyboardInterrupt:
        print("s2s-report: interrupted", file=sys.stderr)
        return 130
    return 0


def _report(arguments: argparse.Namespace) -> None:
    from pathlib import Path

    from s2s_lab.faults import RequestError
    from s2s_lab.reports.comparison import compare
    from s2s_lab.reports.decoders import decoder_tables
    from s2s_lab.reports.page import write_page
    from s2s_lab.reports.page_data import Limits
    from s2s_lab.reports.runs import Collection, collect
    from s2s_lab.reports.study_source import is_study, read_study_view, runs_of

    path = Path(arguments.output)
    if not path.parent.is_dir() or path.is_dir():
        raise RequestError(f"-o {path}: expected a file in a folder that exists")
    for name in ("sentences", "attention"):
        if getattr(arguments, name) < 0:
            raise RequestError(f"--{name} {getattr(arguments, name)}: expected 0 or more")
    only = arguments.metrics.split(",") if arguments.metrics else None
    studies = [place for place in arguments.runs if is_study(place)] + ([arguments.study] if arguments.study else [])
    if len(studies) > 1:
        raise RequestError(f"several studies: {', '.join(studies)}; expected one for a page")
    runs = [place for place in arguments.runs if not is_study(place)]
    if not runs and (own := runs_of(studies[0])):
        print(f"with the runs of {own}", flush=True)
        runs = [str(own)]
    study = read_study_view(studies[0]) if studies else None
    collection = collect(runs) if runs else Collection((), ())
    comparison = compare(collection, only=only, samples=arguments.samples, test=arguments.test, apart=True)
    limits = Limits(sentences=arguments.sentences, attention=arguments.attention)
    tables = decoder_tables(comparison)
    write_page(path, comparison, limits=limits, title=arguments.title, study=study, tables=tables)
    print(f"report {path} ({path.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
