"""Writes all that a study shows: results.json, README.md and figures beside it, and the overview of all studies."""

from collections.abc import Sequence
from pathlib import Path

from s2s_lab.records.durable import read_text, write_durably
from s2s_lab.records.results import Entry, Results, read_results, results_path, write_results
from s2s_lab.records.study_file import Study
from s2s_lab.reports.study_figures import draw_figures
from s2s_lab.reports.study_measured import verdicts
from s2s_lab.reports.study_overview import write_overview
from s2s_lab.reports.study_page import check_replaceable, render_page


def write_study_report(study: Study, jobs: Sequence[Entry], former: Sequence[Entry]) -> tuple[Results, list[Path]]:
    """Write a study's results, page and figures, and the overview of the studies beside it.

    The same results give the same bytes: no file holds the time of its making. What was measured is on record before
    anything is judged or drawn.

    Args:
        study: the study.
        jobs: entries of its trainings.
        former: entries that belong to it no more.

    Returns:
        The results with verdicts, and the files that were written.

    Raises:
        RequestError: if what is compared cannot be compared, or a page written by hand would be replaced.
    """
    check_replaceable(study)
    write_results(study, Results(study.name, list(jobs), list(former), read_results(study).claims))
    results = Results(study.name, list(jobs), list(former), verdicts(study, jobs))
    folder = study.path.parent
    figures = draw_figures(study, jobs, folder)
    page = render_page(study, results, figures)
    write_results(study, results)
    path = folder / "README.md"
    if not path.is_file() or read_text(path) != page:
        write_durably(path, lambda file: file.write(page))
    overview = write_overview(folder.parent)
    written = [results_path(study), path, *(folder / name for name in figures)]
    return results, written + ([overview] if overview else [])
