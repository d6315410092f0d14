"""The report: one HTML file that carries its data, its charts library and its style, and asks no network."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from s2s_lab.records.durable import plain, write_durably
from s2s_lab.reports.beam_trees import MOST_NODES_OF_SPLIT
from s2s_lab.reports.decoder_chart import DecoderTable
from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.leaderboard import leaderboard
from s2s_lab.reports.numbers import title_of
from s2s_lab.reports.page_data import Limits, page_data
from s2s_lab.reports.provenance import provenance, reproduction
from s2s_lab.reports.runs import short
from s2s_lab.reports.study_section import StudyView, claims_section
from s2s_lab.reports.validation import shown_splits

SCRIPTS = (
    "base.js", "leaderboard.js", "charts.js", "seeds.js", "sweep.js", "trials.js", "decoders.js", "searches.js",
    "tree_layout.js", "trees.js", "attention.js", "browser.js", "start.js",
)  # fmt: skip


def write_page(
    path: Path,
    comparison: Comparison,
    *,
    limits: Limits | None = None,
    title: str | None = None,
    study: StudyView | None = None,
    tables: Mapping[str, DecoderTable] | None = None,
) -> None:
    """Write the page durably.

    Args:
        path: The HTML file.
        comparison: What it shows.
        limits: How many sentences it carries.
        title: Its heading; made from the data's name by default.
        study: Whose claims it shows.
        tables: Split -> its table of decoders.
    """
    text = render(comparison, limits=limits or Limits(), title=title, study=study, tables=tables)
    write_durably(path, lambda file: file.write(text))


def render(
    comparison: Comparison,
    *,
    limits: Limits,
    title: str | None = None,
    study: StudyView | None = None,
    tables: Mapping[str, DecoderTable] | None = None,
    now: datetime | None = None,
) -> str:
    """Give the page as text.

    Args:
        comparison: What it shows.
        limits: How many sentences it carries.
        title: Its heading.
        study: Whose claims it shows.
        tables: Split -> its table of decoders.
        now: When it is made; by default now.
    """
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("s2s_lab.reports", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short
    environment.filters["title_of"] = title_of
    library = get_plotlyjs()
    script = "\n".join(_source(environment, name) for name in SCRIPTS)
    data = page_data(comparison, limits, study, tables)
    decoded = [split for split in data["splits"] if split["decoded"]]
    return environment.get_template("page.html").render(
        title=title or (study.title if study else _title(comparison)),
        study=study,
        claims=claims_section(study.verdicts) if study else None,
        made=(now or datetime.now(UTC)).strftime("%d %B %Y, %H:%M UTC").lstrip("0"),
        style=Markup(_source(environment, "page.css")),
        library=_inline(library),
        script=_inline(script),
        policy=_policy([library, script]),
        data=embedded(data),
        boards=[leaderboard(split) for split in shown_splits(comparison)],
        decoded=bool(decoded),
        facts=provenance(comparison),
        reproduction=reproduction(comparison),
        comparison=comparison,
        limits=limits,
        has_attention=any(split["attention"] for split in decoded),
        has_decoders=any(split["decoders"] for split in decoded),
        has_beam_curves=any(split["beam_curves"] for split in decoded),
        has_search_errors=any(split["search_errors"] for split in decoded),
        has_beam_trees=any(split["beam_trees"] for split in decoded),
        left_out_trees=sum(split["beam_trees"]["left_out"] for split in decoded if split["beam_trees"]),
        most_tree_nodes=MOST_NODES_OF_SPLIT,
        has_frequency=any(split["frequency"] for split in decoded),
        has_curves=bool(data["curves"]["names"]),
        has_seeds=any(len(entry["seeds"]) > 1 for split in data["splits"] for entry in split["entries"]),
        has_sweep=bool(data["axes"] and data["splits"]),
        searches=data["searches"],
        importances=[split["importance"] for split in data["splits"]],
        measured=data["study"],
        warnings=_warnings(comparison),
    )


def embedded(value: Any) -> Markup:
    """Write JSON that may stand in a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"),
                              ("\u2029", "\\u2029")):  # fmt: skip
        text = text.replace(character, escape)
    return Markup(text)


def _inline(script: str) -> Markup:
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError("a script of the page would end its own element")
    return Markup(script)


def _policy(scripts: Sequence[str]) -> str:
    """Forbid the page every request, and every script but its own."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"
        for script in scripts
    )
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _title(comparison: Comparison) -> str:
    names = dict.fromkeys(
        str((run.facts.get("data") or {}).get("name") or "unnamed data") for row in comparison.rows for run in row.runs
    )
    what = " and ".join(name.replace("_", " ") for name in names) or "nothing finished"
    return f"{len(comparison.rows)} {'model' if len(comparison.rows) == 1 else 'models'} on {what}"


def _warnings(comparison: Comparison) -> list[tuple[str, str]]:
    """Give (who, what) of everything that should be known before a number is believed."""
    found = [(row.label, f"under-trained: {row.under_trained}") for row in comparison.rows if row.under_trained]
    for split in comparison.splits:
        for entry in split.entries:
            for run, evaluation in zip(entry.runs, entry.evaluations, strict=True):
                for warning in evaluation.facts.get("warnings") or []:
                    found.append((f"{entry.label}, seed {run.seed}, {split.split}", str(warning)))
    return found
