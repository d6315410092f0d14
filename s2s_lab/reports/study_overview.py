"""experiments/README.md: all studies, then all their claims, between two marks; what stands around them is kept."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_text, write_durably
from s2s_lab.records.results import VERDICTS, Results, read_results
from s2s_lab.records.study_file import FILE, Study, read_study
from s2s_lab.reports.study_page import SIGNS, progress, table
from s2s_lab.reports.study_tables import cell

FOLDER = "experiments"
BEGIN = "<!-- studies: made by `s2s-study report`; everything outside of these two marks is kept -->"
END = "<!-- end of the studies -->"
DASH = "–"  # noqa: RUF001


def write_overview(folder: Path) -> Path | None:
    """Write the overview of the studies in a folder.

    Args:
        folder: that holds a folder for each study.

    Returns:
        Its README.md; None where the folder is not called experiments and has no README.md with the two marks.

    Raises:
        RequestError: if a study or its results cannot be read, or one mark stands without the other.
    """
    path = folder / "README.md"
    before = read_text(path) if path.is_file() else ""
    if BEGIN not in before and END not in before:
        if folder.resolve().name != FOLDER:
            return None
        before = f"{before.rstrip()}\n\n{BEGIN}\n{END}\n" if before else f"# What was measured\n\n{BEGIN}\n{END}\n"
    start, end = before.find(BEGIN), before.find(END)
    if start < 0 or end < start:
        raise RequestError(f"{path}: the marks of the studies' part are not in their order: {BEGIN} ... {END}")
    studies = [read_study(file) for file in sorted(folder.glob(f"*/{FILE}"))]
    made = _overview([(study, read_results(study)) for study in studies])
    text = f"{before[:start]}{BEGIN}\n\n{made}\n\n{before[end:]}"
    if text != before:
        write_durably(path, lambda file: file.write(text))
    return path


def _overview(studies: list[tuple[Study, Results]]) -> str:
    if not studies:
        return "No study yet."
    claims = [(study, claim) for study, results in studies for claim in _claims(study, results)]
    numbers = Counter(claim["verdict"] for _, claim in claims)
    shown = ", ".join(f"{numbers[verdict]} {verdict}" for verdict in VERDICTS)
    done = len({entry["hash"] for _, results in studies for entry in results.jobs})
    lines = [
        (
            _link(study),
            cell(claim.get("says") or claim["claim"]),
            cell(claim.get("published") or DASH),
            cell(claim.get("ours") or DASH),
            SIGNS[claim["verdict"]],
        )
        for study, claim in claims
    ]
    lines += [(_link(study), "(no claim)", DASH, DASH, DASH) for study, _ in studies if not study.claims]
    counts = [
        (_link(study), _trainings(study, results), *(str(own[verdict] or "") for verdict in VERDICTS))
        for study, results in studies
        for own in [Counter(claim["verdict"] for claim in _claims(study, results))]
    ]
    found = "1 study" if len(studies) == 1 else f"{len(studies)} studies"
    total = f"**{found}, {done:,} trainings, {len(claims)} claims: {shown}.**"
    studies_table = table(("paper", "trainings", *(SIGNS[verdict] for verdict in VERDICTS)), counts)
    claims_table = table(("paper", "claim", "published", "ours", "verdict"), lines)
    return f"{total}\n\n{studies_table}\n\n{claims_table}"


def _link(study: Study) -> str:
    return f"[{cell(study.title)}]({study.name}/README.md)"


def _trainings(study: Study, results: Results) -> str:
    done, wanted = progress(study, results)
    return f"{wanted:,}" if done == wanted else f"{done:,} of {wanted:,}"


def _claims(study: Study, results: Results) -> list[Mapping[str, Any]]:
    """The claims of a study as last reported; open where they were not."""
    known = {claim["claim"]: claim for claim in results.claims}
    published = {name: claim.get("published") for name, claim in study.claims.items()}
    return [
        known.get(name)
        or {"claim": name, "says": claim.get("says"), "verdict": "open",
            "published": None if published[name] is None else str(published[name])}
        for name, claim in study.claims.items()
    ]  # fmt: skip
