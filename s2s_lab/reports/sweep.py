"""The sweep on the page: settings as axes, and how much each of them matters."""

from typing import Any

from s2s_lab.reports.entries import Comparison, SplitComparison
from s2s_lab.reports.importance import importance_of
from s2s_lab.reports.numbers import title_of
from s2s_lab.reports.settings import Setting, settings_of

FEWEST_ROWS = 3
"""Of fewer rows no sweep is drawn."""


def axes_of(comparison: Comparison) -> list[Setting]:
    """Give the settings that differ between the rows; none where there are too few rows to be a sweep."""
    return settings_of(comparison.differences) if len(comparison.rows) >= FEWEST_ROWS else []


def axis_data(settings: list[Setting]) -> list[dict[str, Any]]:
    """Give the axes as the page draws them."""
    return [
        {
            "label": setting.label,
            "keys": list(setting.keys),
            "numeric": setting.numeric,
            "log": setting.logarithmic,
            "values": list(setting.values),
            "levels": setting.levels,
        }
        for setting in settings
    ]


def importance_data(split: SplitComparison, rows: list[str], settings: list[Setting]) -> dict[str, Any] | None:
    """Give the importance of the settings on one split; None where nothing can be said."""
    found = importance_of(split, rows, settings)
    if found is None:
        return None
    return {
        "shares": list(found.shares),
        "runs": found.runs,
        "best": found.best,
        "strategy": found.strategy,
        "score": title_of(found.score),
    }
