"""A study read for the page: from its file and its results, without any run folder."""

from pathlib import Path

from s2s_lab.reports.study_section import StudyView

FILE = "study.yaml"


def is_study(place: Path | str) -> bool:
    """Tell whether a place is a study file or the folder that holds one."""
    path = Path(place)
    return path.name == FILE or (path / FILE).is_file()


def runs_of(place: Path | str, outputs: Path = Path("outputs")) -> Path | None:
    """Give the folder of a study's own runs, where `s2s-study run` puts them; None where there are none.

    Args:
        place: study.yaml or the folder that holds it.
        outputs: The folder of all runs.
    """
    path = Path(place).resolve()
    folder = outputs / "studies" / (path.parent if path.name == FILE else path).name
    return folder if any(folder.glob("*/run.json")) else None


def read_study_view(place: Path | str) -> StudyView:
    """Read a study, what was measured of it, and the verdicts on its claims.

    Args:
        place: study.yaml or the folder that holds it.

    Raises:
        RequestError: If it cannot be read, or compares what cannot be compared.
    """
    from s2s_lab.records.results import read_results
    from s2s_lab.records.study_file import read_study
    from s2s_lab.reports.claims import Verdict
    from s2s_lab.reports.study_measured import measurements, verdicts

    study = read_study(place)
    results = read_results(study)
    return StudyView(
        title=study.title,
        citation=study.citation,
        source=study.source,
        about=study.about,
        verdicts=tuple(Verdict(**facts) for facts in verdicts(study, results.jobs)),
        measured=tuple(measurements(study, results.jobs)),
    )
