"""The sentences that explain a comparison, the same in the terminal and on the page."""

import math
from collections.abc import Sequence

from s2s_lab.metrics.base import signature_fields
from s2s_lab.metrics.seeds import welch_test
from s2s_lab.reports.effects import effect_kind
from s2s_lab.reports.entries import LEVEL, Entry, SplitComparison
from s2s_lab.reports.numbers import decimal, digits_for, p_text, title_of, unit_of
from s2s_lab.reports.strategy_labels import TOGETHER

TESTS = {
    "bootstrap": ("paired bootstrap", "resamples"),
    "randomization": ("approximate randomization test", "shuffles"),
}
EFFECTS = {
    "g": "g: Hedges' effect size, the difference from the best row in standard deviations over seeds.",
    "d": "d: effect size, the difference from the best row in standard deviations over sentences.",
}


ALONE = "parameters and training are those of the table's row alone"
"""What a table says of rows that further models decode together with."""


def mark(entry: Entry) -> str:
    """Give the sign of the test: `≈` not told apart from the best, `▼` significantly worse."""
    if entry.versus is None:
        return ""
    return "▼" if entry.versus.worse else "≈"


def explanation(split: SplitComparison) -> list[str]:
    """Say what interval and test are, each in a sentence."""
    lines = []
    counts = sorted({len(entry.runs) for entry in split.entries})
    if counts and counts[-1] > 1:
        seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        lines.append(f"Scores: mean ± half of the 95 % t-interval over {seeds} seeds.")
    elif counts:
        lines.append("Scores: one seed each, so nothing is known about the spread over seeds.")
    tested = [entry.versus for entry in split.entries if entry.versus]
    if tested and split.monitor:
        name, samples = title_of(split.monitor.name), tested[0].test.samples
        how, drawn = TESTS[split.test]
        every = any(entry.letters for entry in split.entries)
        count = f"{'all ' if every and split.tests > 1 else ''}{split.tests:,} {'pairs' if every else 'tests'}"
        lines.append(
            f"p: two-sided {how} of {name} against the best row, {samples:,} {drawn} of the {split.sentences:,} "
            f"sentences, seeds averaged, Holm-corrected over {count if split.tests > 1 else 'one test'}; "
            f"▼ significantly worse on these sentences (p < {LEVEL}), ≈ not told apart."
        )
        if every:
            lines.append("Rows that share a letter are not told apart by these tests.")
    effect = effect_kind(split)
    if effect:
        lines.append(EFFECTS[effect])
    together = [entry.label for entry in split.entries if _with_others(entry)]
    if together:
        lines.append(f"Decoded together with further models: {_named(together)}; {ALONE}.")
    return lines


def _with_others(entry: Entry) -> bool:
    fields = [signature_fields(str(each.facts.get("signature"))) for each in entry.evaluations]
    return any(key in found for found in fields for key in TOGETHER)


def _named(labels: Sequence[str]) -> str:
    return ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")


def headline(split: SplitComparison) -> str:
    """Say in one or two sentences what the leaderboard shows."""
    if split.monitor is None or not split.entries:
        return "No score is known for every row."
    best, kind = split.entries[0], split.monitor
    interval = best.measures[kind.name].interval
    assert interval is not None
    unit = unit_of(kind.signature)
    digits = digits_for([interval.mean * unit.factor])
    value = decimal(interval.mean * unit.factor, digits) + unit.suffix
    seeds = f"mean of {interval.n} seeds" if interval.n > 1 else "one seed"
    if not split.decoded:
        verb = "leads with" if len(split.entries) > 1 else "reaches"
        return f"{best.row.label} {verb} {value} {title_of(kind.name)} in validation ({seeds}); not tested."
    first = f"{best.row.label} with {best.strategy} decoding leads with {value} {title_of(kind.name)} ({seeds})."
    if len(split.entries) == 1:
        return first.replace("leads with", "reaches")
    level = [entry for entry in split.entries[1:] if entry.versus and not entry.versus.worse]
    if not level:
        least = max(entry.versus.p_value for entry in split.entries[1:] if entry.versus)
        others = "The other row is" if len(split.entries) == 2 else f"All {len(split.entries) - 1} others are"
        where = f"on these {split.sentences:,} sentences"
        return f"{first} {others} significantly worse {where} (p\u00a0{_at_most(least)}).{_over_seeds(split)}"
    names = _named([entry.label for entry in level])
    return f"{first} Not told apart from it on these {split.sentences:,} sentences: {names}."


def _over_seeds(split: SplitComparison) -> str:
    """Say which rows other trainings may rank otherwise, for a test over sentences takes the trainings as they are."""
    assert split.monitor is not None
    scores = [entry.measures[split.monitor.name].values for entry in split.entries]
    if min(map(len, scores)) < 2:
        return " With one seed of a row nothing is known of other trainings."
    close = [
        entry.label
        for entry, values in zip(split.entries[1:], scores[1:], strict=True)
        if not all(map(math.isfinite, (*scores[0], *values))) or welch_test(scores[0], values).p_value >= LEVEL
    ]
    if not close:
        return ""
    return f" Over seeds not told apart from it (Welch's test): {_named(close)}."


def _at_most(p_value: float) -> str:
    text = p_text(p_value)
    return text if text.startswith("<") else f"≤\u00a0{text}"
