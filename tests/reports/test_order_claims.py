"""Claims that one row is better than another: both tests, their correction, and how many seeds would tell."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.stats

from s2s_lab.metrics.seeds import hedges_g, welch_power
from s2s_lab.metrics.significance import holm
from s2s_lab.reports.claims import judge
from tests.reports.test_claims import order_of, outcomes, row, trend_of


def test_an_order_needs_both_tests() -> None:
    good, bad = row("a", [80.0, 81.0, 80.5]), row("b", [60.0, 61.0, 60.5])
    assert order_of(good, bad).verdict == "reproduced"
    opposite = order_of(replace(bad, row="a"), replace(good, row="b"))
    assert opposite.verdict == "not reproduced" and "opposite" in opposite.reason
    same = (outcomes(0.7, 1),) * 3
    by_seeds = order_of(replace(good, statistics=same), replace(bad, statistics=same))
    assert (by_seeds.verdict, by_seeds.more_seeds) == ("inconclusive", None) and "not over sentences" in by_seeds.reason
    spread = order_of(row("a", [60.0, 100.0, 82.0]), bad)
    assert spread.verdict == "inconclusive" and spread.more_seeds
    none = order_of(row("a", [80.0, 81.0], kept=False), bad)
    assert none.verdict == "inconclusive" and "no statistics" in none.reason
    single = order_of(row("a", [80.0]), bad)
    assert (single.verdict, single.more_seeds) == ("inconclusive", None)
    unequal = order_of(row("a", [80.0, 81.0, 80.5, 80.2, 80.9]), bad)
    assert unequal.verdict == "reproduced"


def test_the_seeds_that_an_order_needs_are_those_of_the_corrected_level() -> None:
    """With so many more seeds of the same means and spreads Welch's test finds it at the level of all claims."""
    a, b = row("a", [80.0, 84.0, 82.0]), row("b", [76.0, 80.0, 78.5])
    claim = {"kind": "order", "better": {"row": "a"}, "worse": {"row": "b"}}
    open_claim = {"kind": "order", "better": {"row": "a"}, "worse": {"row": "missing"}}
    needed = []
    for others in (0, 4, 19):
        verdict = judge({"it": claim, **{f"open{i}": open_claim for i in range(others)}}, [a, b])[0]
        assert verdict.verdict == "inconclusive" and verdict.more_seeds
        needed.append(verdict.more_seeds)
        variances = np.var(a.values, ddof=1), np.var(b.values, ddof=1)
        difference, level = float(np.mean(a.values) - np.mean(b.values)), 0.05 / (1 + others)
        for more, enough in ((verdict.more_seeds - 1, False), (verdict.more_seeds, True)):
            assert (welch_power(difference, variances, (3 + more,) * 2, level) >= 0.8) is enough
    assert needed == sorted(set(needed)), "more claims, more seeds"
    hopeless = order_of(replace(a, statistics=(outcomes(0.8, 1),) * 3), replace(b, statistics=(outcomes(0.8, 1),) * 3))
    assert hopeless.more_seeds is None, "seeds do not help where the sentences tell nothing apart"


def test_how_many_seeds_are_compared_is_told() -> None:
    five, three = row("a", [80.0, 81.0, 80.5, 80.2, 80.9]), row("b", [60.0, 61.0, 60.5])
    effect = hedges_g(five.values, three.values).g
    assert order_of(five, three).ours.endswith(f"(5, 3 seeds; Hedges' g {effect:.2f})") and effect > 0
    assert order_of(replace(three, row="a"), three).ours.endswith("(3 seeds; Hedges' g 0.00)")
    assert trend_of(five, three, direction="falls").ours.endswith("(5, 3 seeds)")
    assert order_of(row("a", [80.0]), row("b", [60.0])).ours.endswith("(1 seed)")


def test_the_order_of_errors_is_the_other_way_round() -> None:
    low, high = row("a", [20.0, 21.0], higher_is_better=False), row("b", [60.0, 61.0], higher_is_better=False)
    assert order_of(low, high).verdict == "reproduced"


def test_rows_that_are_all_perfect_are_not_told_apart() -> None:
    verdict = order_of(row("a", [100.0] * 3), row("b", [100.0] * 3))
    assert (verdict.verdict, verdict.more_seeds) == ("inconclusive", None)


def test_orders_are_corrected_over_the_study_open_ones_included() -> None:
    a, b = row("a", [80.0, 81.0, 82.0]), row("b", [76.0, 77.0, 78.0])
    test: Any = scipy.stats.ttest_ind(a.values, b.values, equal_var=False)
    p_value = float(test.pvalue)
    claim = {"kind": "order", "better": {"row": "a"}, "worse": {"row": "b"}}
    open_claim = {"kind": "order", "better": {"row": "a"}, "worse": {"row": "missing"}}
    for others in (0, 1, 30):
        verdicts = judge({"it": claim, **{f"open{i}": open_claim for i in range(others)}}, [a, b])
        corrected = holm([p_value, *[1.0] * others])[0]
        assert f"p over seeds = {corrected:.2g}" in verdicts[0].reason
        assert verdicts[0].verdict == ("reproduced" if corrected < 0.05 else "inconclusive")


def test_decodings_of_the_same_models_are_paired() -> None:
    bases = [20.0, 40.0, 60.0, 80.0]  # models differ much more than their decodings
    decodings = [
        row("a", [base + gain + 0.1 * place for place, base in enumerate(bases)], evaluation=name)
        for name, gain in (("greedy", 0.0), ("beam_5", 6.0), ("beam_100", 3.0))
    ]
    along = {"kind": "trend", "row": "a", "score": "exact_match", "evaluations": ["greedy", "beam_5", "beam_100"]}
    assert judge({"it": along | {"direction": "peaks"}}, decodings)[0].verdict == "reproduced"
    fallen = judge({"it": along | {"direction": "rises"}}, decodings)[0]
    assert fallen.verdict == "not reproduced" and "falls from beam_5 to beam_100" in fallen.reason
    others = [replace(item, row=item.evaluation, evaluation="greedy") for item in decodings]
    assert trend_of(*others, direction="peaks").verdict == "inconclusive", "other models, of so large a spread"
    order = {"kind": "order", "better": {"row": "a", "evaluation": "beam_5"}, "worse": {"row": "a"}}
    claim = {"it": order | {"evaluation": "greedy", "score": "exact_match"}}
    assert judge(claim, decodings)[0].verdict == "reproduced"
    apart = {"it": claim["it"] | {"better": {"row": "beam_5"}, "worse": {"row": "greedy"}}}
    assert judge(apart, others)[0].verdict == "inconclusive"


def test_a_larger_study_weakens_nothing_by_being_measured() -> None:
    """Holm with p = 1 for open claims: measuring another claim only lowers the corrected values."""
    for p_values in itertools.product([0.001, 0.02, 0.04, 1.0], repeat=3):
        for place in range(3):
            closed = list(p_values)
            closed[place] = 1.0
            later, before = holm(p_values), holm(closed)
            assert all(later[i] <= before[i] + 1e-15 for i in range(3) if i != place)
