"""The page of a study: its claims with verdicts, its tables, how and where it was measured."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_text
from s2s_lab.records.results import Results
from s2s_lab.records.study_claims import needed_by
from s2s_lab.records.study_file import Study
from s2s_lab.records.study_rows import word
from s2s_lab.reports.numbers import count, duration
from s2s_lab.reports.rulings import more_seeds_text
from s2s_lab.reports.study_measured import counts, measurements
from s2s_lab.reports.study_tables import ScoreTable, cell, score_tables
from s2s_lab.reports.wording import ALONE

MADE = "<!-- Made by `s2s-study report` from study.yaml, results.json and notes.md, where there is one: edit those. -->"
SIGNS = {"reproduced": "✔ reproduced", "not reproduced": "✘ not reproduced", "inconclusive": "≈ inconclusive",
         "open": "○ open"}  # fmt: skip
PACKAGES = ("python", "s2s-lab", "torch", "lightning", "sacrebleu")
CUT = "‡ a time limit ended a training before its last step"
SHOWN_ROWS = 40
NAMED = f"A row that is named there stands for its run of the same seed; {ALONE}."


def render_page(study: Study, results: Results, figures: Mapping[str, str]) -> str:
    """Write a study's README.md; the same results give the same text.

    Args:
        study: the study.
        results: what was measured, with verdicts.
        figures: file name -> what it shows.

    Raises:
        RequestError: if scores in one column cannot be compared.
    """
    tables = score_tables(study, results.jobs, measurements(study, results.jobs))
    notes = study.path.parent / "notes.md"
    parts = [
        f"# {study.title}",
        MADE,
        *_source(study),
        f"**{counts(results.claims)}.** {_progress(study, results)}",
        study.about,
        *_claims(study, results),
        *(f"![{cell(shows)}]({name})" for name, shows in figures.items()),
        read_text(notes).strip() if notes.is_file() else "",
        *_results(study, tables),
        *_unmeasured(study, results),
        *_circumstances(study, results, tables),
        *_commands(study),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def check_replaceable(study: Study) -> None:
    """Refuse to write over a page that somebody has written.

    Raises:
        RequestError: if README.md beside the study was not made by `s2s-study report`.
    """
    page = study.path.parent / "README.md"
    if page.is_file() and MADE not in read_text(page):
        raise RequestError(f"{page}: not made by s2s-study report; move its text to notes.md, which the page includes")


def _source(study: Study) -> list[str]:
    source = f"<{study.source}>" if study.source.startswith(("https://", "http://")) else cell(study.source)
    return [" ".join(part for part in (f"{cell(study.citation)}." if study.citation else "", source) if part)]


def progress(study: Study, results: Results) -> tuple[int, int]:
    """Count the trainings that are done, and all that can be done: each seed of each row that waits for nothing."""
    wanted = {(row.name, seed) for row in study.rows if row.needs is None for seed in row.seeds}
    return len({(entry["row"], entry["seed"]) for entry in results.jobs} & wanted), len(wanted)


def _progress(study: Study, results: Results) -> str:
    done, wanted = progress(study, results)
    took = {entry["hash"]: entry.get("seconds") or 0 for entry in results.jobs if "measured_in" not in entry}
    seconds = sum(took.values())
    waiting = sum(row.needs is not None for row in study.rows)
    wait = "1 row waits" if waiting == 1 else f"{waiting} rows wait"
    more = f", {wait} for what the laboratory has not yet" if waiting else ""
    time = f" in {duration(seconds)} of training" if seconds else ""
    return f"{done} of {wanted} trainings done{time}{more}."


def _would_tell(claim: Mapping[str, Any]) -> str:
    text = more_seeds_text(claim.get("more_seeds"))
    return text[:1].lower() + text[1:].rstrip(".")


def _claims(study: Study, results: Results) -> list[str]:
    if not results.claims:
        return []
    lines = [
        (
            cell(claim.get("says") or claim["claim"]) + (f" ({cell(claim['source'])})" if claim.get("source") else ""),
            cell(claim.get("published") or ""),
            cell(claim["ours"]) + " ‡" * _cut(study, results, claim["claim"]) if claim.get("ours") else "",
            SIGNS[claim["verdict"]],
            cell("; ".join(filter(None, (claim.get("reason"), _would_tell(claim))))),
        )
        for claim in results.claims
    ]
    legend = f"{CUT}." if any("‡" in line[2] for line in lines) else ""
    return ["## Claims", table(("claim", "published", "ours", "verdict", "reason"), lines), legend]


def _cut(study: Study, results: Results, name: str) -> bool:
    """Whether a claim rests on a training that a time limit ended before its last step."""
    needs = needed_by(study.claims[name]) if name in study.claims else []
    rows = {(row.name, each.evaluation) for each in needs for row in study.rows_of(each.row)}
    return any(
        entry.get("stopped_by") == "max_minutes" and (entry["row"], evaluation) in rows
        for entry in results.jobs
        for evaluation in entry["evaluations"]
    )


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown; its cells are ready."""
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _results(study: Study, tables: Sequence[ScoreTable]) -> list[str]:
    parts = []
    for each in tables:
        words = " ".join(word(key, value) for key, value in study.evaluations[each.evaluation].items())
        data = f"{each.split}, {each.sentences:,} sentences, data {each.fingerprint[:12]}"
        parts += [f"### {each.evaluation}: {data}", f"`s2s-evaluate` with `{words}`." if words else ""]
        parts += [NAMED] if study.named_by(each.evaluation) else []
        parts += [table(each.headings, each.lines), *each.notes]
    if not parts:
        return ["## Results", "Nothing has been measured yet."]
    legend = "Mean ± half of the 95 % t-interval over seeds"
    if any("†" in line[0] for each in tables for line in each.lines):
        legend += "; † the last steps of a training still improved it: read the row as under-trained"
    if any("‡" in line[0] for each in tables for line in each.lines):
        legend += f"; {CUT}"
    return ["## Results", f"{legend}.", *parts]


def _unmeasured(study: Study, results: Results) -> list[str]:
    seeds = Counter(entry["row"] for entry in results.jobs)
    waiting = [f"- `{row.name}` needs {cell(row.needs)}" for row in study.rows if row.needs is not None]
    absent = [row for row in study.rows if row.needs is None and not seeds[row.name]]
    shown = [f"- `{row.name}`: none of {len(row.seeds)} seeds is run" for row in absent[:SHOWN_ROWS]]
    shown += [
        f"- `{entry['row']}` seed {entry['seed']} is trained, not evaluated" + _short_of_its_steps(entry)
        for entry in results.jobs
        if not entry["evaluations"]
    ]
    if len(absent) > SHOWN_ROWS:
        shown.append(f"- and {len(absent) - SHOWN_ROWS} more rows")
    return ["## Open", "\n".join([*waiting, *shown])] if waiting or shown else []


def _short_of_its_steps(entry: Mapping[str, Any]) -> str:
    steps, total = entry.get("steps"), entry.get("total_steps")
    if entry.get("stopped_by") != "max_minutes" or steps is None or total is None:
        return ""
    return f"; a time limit ended it after {count(steps)} of {count(total)} steps"


def _circumstances(study: Study, results: Results, tables: Sequence[ScoreTable]) -> list[str]:
    """Say on which machines, with which versions and from which commits it was measured, and what the scores are."""
    lines = []
    elsewhere = Counter(entry["measured_in"] for entry in results.jobs if "measured_in" in entry)
    if elsewhere:
        named = "; ".join(f"[{cell(name)}](../{name}/README.md) ({number})" for name, number in elsewhere.items())
        lines.append(f"- Trainings that are those of another study, in all that decides a result: {named}")
    if study.minutes_per_job is not None:
        cores = "" if study.cores is None else f" on {study.cores} core{'s' * (study.cores != 1)}"
        lines.append(
            f"- Budget: {study.minutes_per_job:g} minutes for each training{cores}. {cell(study.note)}".strip()
        )
    elif study.note:
        lines.append(f"- Budget: {cell(study.note)}")
    for title, facts in (
        ("Machine", (_machine(entry) for entry in results.jobs)),
        ("Versions", (_versions(entry) for entry in results.jobs)),
        ("Commit", (_commit(entry) for entry in results.jobs)),
    ):
        known = Counter(fact for fact in facts if fact)
        shown = [f"{fact} ({number} trainings)" if len(known) > 1 else fact for fact, number in sorted(known.items())]
        lines += [f"- {title}: {'; '.join(shown)}"] if shown else []
    signatures = sorted({signature for each in tables for signature in each.signatures.values()})
    lines += [f"- Signature: `{signature}`" for signature in signatures]
    return ["## How it was measured", "\n".join(lines)] if lines else []


def _machine(entry: Mapping[str, Any]) -> str:
    machine = entry.get("machine") or {}
    parts = [machine.get("cpu"), f"{machine['cores']} cores" if machine.get("cores") else None]
    parts.append(f"{machine['memory_gb']:g} GiB" if machine.get("memory_gb") else None)
    return cell(", ".join(str(part) for part in parts if part))


def _versions(entry: Mapping[str, Any]) -> str:
    versions = entry.get("versions") or {}
    return cell(", ".join(f"{package} {versions[package]}" for package in PACKAGES if package in versions))


def _commit(entry: Mapping[str, Any]) -> str:
    commit = entry.get("commit")
    return "" if not commit else cell(commit[:12]) + (" with changes" if entry.get("dirty") else "")


def _commands(study: Study) -> list[str]:
    lines = [f"s2s-study {verb} {shlex.quote(study.place)}" for verb in ("plan", "run", "report")]
    files = "Where the corpus lies in files, each needs `paths.data=DIR`."
    return ["## Again", "```sh\n" + "\n".join(lines) + "\n```", files]
