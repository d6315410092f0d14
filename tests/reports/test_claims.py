"""Verdicts follow their stated rules, name what is missing, and refuse what cannot be compared."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from s2s_lab.faults import RequestError
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.reports.claims import Measured, Verdict, judge

SIGNATURE = ExactMatch().signature()


def outcomes(share: float, seed: int, sentences: int = 400) -> np.ndarray:
    """Statistics of exact match of so many sentences; the harder ones fail first."""
    difficulty = np.random.default_rng(0).uniform(size=sentences)
    noise = np.random.default_rng(seed).normal(0, 0.02, size=sentences)
    return np.stack([(difficulty + noise < share).astype(float), np.ones(sentences)], axis=1)


def row(name: str, values: list[float], *, kept: bool = True, **changes) -> Measured:
    """A row whose statistics have about the shares given; values are in per cent."""
    statistics = tuple(outcomes(value / 100, seed) for seed, value in enumerate(values)) if kept else None
    seeds = tuple(range(1, len(values) + 1))
    facts = (SIGNATURE, "test", "feed", True)
    return replace(Measured(name, "greedy", "exact_match", tuple(values), seeds, statistics, *facts), **changes)


def value_of(values: list[float], **settings) -> Verdict:
    (verdict,) = judge({"it": {"kind": "value", "row": "a", "score": "exact_match", **settings}}, [row("a", values)])
    return verdict


def order_of(*rows: Measured, **settings) -> Verdict:
    claim = {"kind": "order", "better": {"row": "a"}, "worse": {"row": "b"}, "score": "exact_match", **settings}
    return judge({"it": claim}, rows)[0]


def trend_of(*rows: Measured, direction: str, **settings) -> Verdict:
    names = [item.row for item in rows]
    claim = {"kind": "trend", "rows": names, "direction": direction, "score": "exact_match", **settings}
    return judge({"it": claim}, rows)[0]


@pytest.mark.parametrize("side", ["equal", "at_least", "at_most"])
def test_a_value_is_judged_by_where_its_interval_lies(side: str) -> None:
    generator = np.random.default_rng(1)
    seen = set()
    for _ in range(200):
        values = generator.normal(50, generator.uniform(0.1, 2), size=generator.integers(2, 6)).tolist()
        published, tolerance = generator.uniform(46, 54), generator.uniform(0.5, 4)
        verdict = value_of(values, published=published, tolerance=tolerance, side=side)
        n = len(values)
        low, high = scipy.stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=scipy.stats.sem(values))
        over_low = low >= published - tolerance or side == "at_most"
        below_high = high <= published + tolerance or side == "at_least"
        outside = (high < published - tolerance and side != "at_most") or (
            low > published + tolerance and side != "at_least"
        )
        expected = "reproduced" if over_low and below_high else "not reproduced" if outside else "inconclusive"
        assert verdict.verdict == expected, (values, published, tolerance)
        assert (verdict.more_seeds is None) or verdict.verdict == "inconclusive"
        seen.add(expected)
    assert seen == {"reproduced", "not reproduced", "inconclusive"}


def test_a_bound_is_a_value_on_one_side_of_its_limit() -> None:
    generator = np.random.default_rng(5)
    for side in ("at_least", "at_most"):
        for _ in range(50):
            values = generator.normal(50, generator.uniform(0.1, 2), size=generator.integers(1, 6)).tolist()
            claim = {"kind": "bound", "row": "a", "score": "exact_match", "limit": generator.uniform(48, 52)}
            (verdict,) = judge({"it": claim | {"side": side}}, [row("a", values)])
            same = value_of(values, published=claim["limit"], side=side)
            assert (verdict.verdict, verdict.reason, verdict.ours) == (same.verdict, same.reason, same.ours)
            assert verdict.published is None, "the limit is the study's, no number of a paper"


@pytest.mark.parametrize("higher", [True, False])
def test_not_worse_is_a_test_of_non_inferiority(higher: bool) -> None:
    generator = np.random.default_rng(6)
    seen = set()
    for _ in range(200):
        a = generator.normal(50, generator.uniform(0.1, 1), size=generator.integers(2, 6))
        b = generator.normal(50, generator.uniform(0.1, 1), size=generator.integers(2, 6)) + generator.uniform(-3, 3)
        margin = generator.uniform(0.2, 2)
        claim = {"kind": "not_worse", "row": "a", "than": {"row": "b"}, "margin": margin, "score": "exact_match"}
        rows = [row(name, values.tolist(), higher_is_better=higher) for name, values in (("a", a), ("b", b))]
        (verdict,) = judge({"it": claim}, rows)
        gain = (a, b) if higher else (b, a)
        interval = scipy.stats.ttest_ind(*gain, equal_var=False).confidence_interval(0.95)
        expected = "reproduced" if interval.low > -margin else "not reproduced" if interval.high < -margin else None
        assert verdict.verdict == (expected or "inconclusive"), verdict.reason
        assert verdict.more_seeds is None or expected is None
        seen.add(verdict.verdict)
    assert seen == {"reproduced", "not reproduced", "inconclusive"}


def test_edges_of_not_worse() -> None:
    claim = {"kind": "not_worse", "row": "a", "than": {"row": "b"}, "margin": 1.0, "score": "exact_match"}
    decoded = [row("a", [50.0, 60.0, 70.0], evaluation=name) for name in ("greedy", "beam")]
    same = {"row": "a", "evaluation": "beam", "than": {"row": "a", "evaluation": "greedy"}}
    (paired,) = judge({"it": claim | same}, decoded)
    assert paired.verdict == "reproduced", "the same models, decoded alike: no spread of the differences"
    (alone,) = judge({"it": claim}, [row("a", [50.0]), row("b", [50.0, 51.0])])
    assert (alone.verdict, alone.more_seeds) == ("inconclusive", None)
    (open_one,) = judge({"it": claim}, [row("a", [50.0, 51.0])])
    assert open_one.verdict == "open" and "b" in open_one.reason
    (spread,) = judge({"it": claim}, [row("a", [48.0, 52.0]), row("b", [48.0, 52.0])])
    assert spread.verdict == "inconclusive" and spread.more_seeds, "equal means, of unknown difference"
    with pytest.raises(RequestError, match="different signatures"):
        judge({"it": claim}, [row("a", [1.0, 2.0]), row("b", [1.0, 2.0], signature=CHANGES[0][0]["signature"])])


def test_more_seeds_of_the_same_spread_decide_a_value() -> None:
    values = [49.0, 50.0, 52.0]
    verdict = value_of(values, published=50, tolerance=2)
    assert verdict.verdict == "inconclusive" and verdict.more_seeds
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    room = min(abs(mean - 48), abs(52 - mean))
    for more, enough in ((verdict.more_seeds - 1, False), (verdict.more_seeds, True)):
        seeds = 3 + more
        assert (scipy.stats.t.ppf(0.975, seeds - 1) * deviation / seeds**0.5 <= room) == enough


def test_edges_of_values() -> None:
    one = value_of([99.7], published=99.7, tolerance=0.5)
    assert (one.verdict, one.more_seeds) == ("inconclusive", None) and "one seed" in one.reason
    assert value_of([100.0] * 3, published=99.7, tolerance=0.5).verdict == "reproduced"
    assert value_of([100.0] * 3, published=99.7, tolerance=0.3).verdict == "reproduced", "the bound belongs to it"
    assert value_of([100.0] * 3, published=99.7, tolerance=0.2).verdict == "not reproduced"
    assert value_of([1.5, 1.5], published=1.5, side="at_most").verdict == "reproduced"
    assert value_of([1.4, 1.6], published=1.5, side="at_most").verdict == "inconclusive"
    assert value_of([1.4, 1.6], published=1.5, side="at_most").more_seeds is None, "the mean lies on the bound"
    assert value_of([99.9, 99.8, 100.0], published=99.8, tolerance=0.2).reason.endswith(
        "lies within the tolerated 99.60 to 100.00"
    )


def test_an_interval_is_cut_where_no_score_can_be() -> None:
    assert scipy.stats.t.interval(0.95, 1, loc=99.95, scale=0.05)[1] > 100.5
    assert value_of([99.9, 100.0], published=99.9, tolerance=0.6).verdict == "reproduced"
    cut = value_of([99.0, 100.0], published=99.7, tolerance=0.5)
    assert cut.verdict == "inconclusive" and cut.more_seeds, "only the lower end needs room"


def test_a_block_is_the_mean_of_its_rows_over_the_seeds_that_all_have() -> None:
    claim = {"kind": "value", "row": "srn", "published": 30, "tolerance": 1, "score": "exact_match"}
    rows = [row("srn[a=1]", [10.0, 12.0, 90.0]), row("srn[a=2]", [50.0, 48.0]), row("srn_other", [7.0, 7.0])]
    (verdict,) = judge({"it": claim}, rows)
    assert verdict.verdict == "reproduced" and verdict.ours == "30.00 ± 0.00 % (2 seeds)"
    (verdict,) = judge({"it": claim}, rows, rows=["srn[a=1]", "srn[a=2]", "srn[a=3]"])
    assert (verdict.verdict, verdict.reason, verdict.ours) == ("open", "not measured yet: srn[a=3]", "")
    (verdict,) = judge({"it": claim}, [rows[0], row("srn[a=2]", [5.0], seeds=(9,))])
    assert verdict.verdict == "open" and "a seed of all rows" in verdict.reason


@pytest.mark.parametrize("kind", ["order", "not_worse", "trend"])
def test_evaluations_of_the_same_trainings_are_compared_on_the_seeds_that_have_both(kind: str) -> None:
    greedy = row("a", [10.0, 20.0, 30.0])
    beam = row("a", [11.2, 21.1], evaluation="beam")
    ours, other = {"row": "a", "evaluation": "beam"}, {"row": "a", "evaluation": "greedy"}
    claim = {
        "order": {"better": ours, "worse": other},
        "not_worse": {"row": "a", "evaluation": "beam", "than": other, "margin": 1},
        "trend": {"row": "a", "evaluations": ["greedy", "beam"], "direction": "rises"},
    }[kind]
    told = [
        judge({"it": {"kind": kind, "score": "exact_match", **claim}}, [measured, beam])[0]
        for measured in (greedy, row("a", [10.0, 20.0]))
    ]
    assert told[0] == told[1] and "(2 seeds" in told[0].ours and "15.00" in told[0].ours


def test_what_is_not_measured_is_open() -> None:
    claims = {
        "value": {"kind": "value", "row": "no", "published": 1, "tolerance": 1},
        "order": {"kind": "order", "better": {"row": "a"}, "worse": {"row": "no"}},
        "trend": {"kind": "trend", "rows": ["a", "no"], "direction": "rises"},
        "evaluation": {"kind": "value", "row": "a", "published": 1, "tolerance": 1, "evaluation": "oracle"},
        "score": {"kind": "value", "row": "a", "published": 1, "tolerance": 1, "score": "bleu"},
        "nan": {"kind": "value", "row": "nan", "published": 1, "tolerance": 1},
        "none": {"kind": "value", "row": "none", "published": 1, "tolerance": 1},
    }
    measured = [row("a", [1.0, 2.0]), row("nan", [1.0, float("nan")], kept=False), row("none", [])]
    verdicts = judge(claims, measured)
    assert [verdict.claim for verdict in verdicts] == list(claims)
    assert {(verdict.verdict, verdict.ours, verdict.more_seeds) for verdict in verdicts} == {("open", "", None)}
    assert "under oracle" in verdicts[3].reason and "a has no score bleu" in verdicts[4].reason


def test_slopes() -> None:
    rising = [row(f"size_{i}", [base, base + 1, base + 0.5]) for i, base in enumerate((5.0, 50.0, 90.0))]
    assert trend_of(*rising, direction="rises").verdict == "reproduced"
    assert trend_of(*rising, direction="falls").verdict == "not reproduced"
    assert trend_of(*rising[::-1], direction="falls").verdict == "reproduced"
    dented = [rising[0], rising[2], rising[1]]
    fallen = trend_of(*dented, direction="rises")
    assert fallen.verdict == "not reproduced" and "falls from size_2 to size_1" in fallen.reason
    level = trend_of(rising[0], row("next", [5.0, 6.2, 5.7]), direction="rises")
    assert level.verdict == "inconclusive" and level.more_seeds
    single = trend_of(rising[0], row("next", [50.0]), direction="rises")
    assert (single.verdict, single.more_seeds) == ("inconclusive", None) and "next" in single.reason


def test_peaks() -> None:
    low, high, middle = (row(name, [base, base + 1, base + 2]) for name, base in
                         (("low", 10.0), ("high", 80.0), ("middle", 40.0)))  # fmt: skip
    assert trend_of(low, high, middle, direction="peaks").verdict == "reproduced"
    assert trend_of(low, middle, high, direction="peaks").verdict == "not reproduced"
    assert trend_of(high, middle, low, direction="peaks").verdict == "not reproduced"
    near = trend_of(low, high, row("near", [79.0, 80.5, 82.0]), direction="peaks")
    assert near.verdict == "inconclusive" and near.more_seeds and "not told apart from near" in near.reason
    errors = [replace(item, higher_is_better=False) for item in (high, low, middle)]
    assert trend_of(*errors, direction="peaks").verdict == "reproduced", "the best error is the least"


CHANGES = [
    ({"signature": ExactMatch(lowercase=True).signature()}, r"different signatures \(case:mixed and case:lc\)"),
    ({"split": "validation"}, r"different splits \(test and validation\)"),
    ({"data_fingerprint": "beef"}, r"different data \(feed and beef\)"),
]


@pytest.mark.parametrize(("changes", "message"), CHANGES)
def test_what_means_different_things_is_refused(changes: dict, message: str) -> None:
    a, b = row("a", [1.0, 2.0]), row("b", [2.0, 3.0], **changes)
    with pytest.raises(RequestError, match=message):
        order_of(a, b)
    with pytest.raises(RequestError, match=message):
        trend_of(a, b, direction="rises")
    block = [replace(a, row="it[x=1]"), replace(b, row="it[x=2]")]
    with pytest.raises(RequestError, match=message):
        judge({"it": {"kind": "value", "row": "it", "published": 1, "tolerance": 1}}, block)


def test_other_data_is_allowed_where_the_claim_says_so_and_judged_by_the_seeds() -> None:
    a, b = row("a", [80.0, 81.0, 80.5]), row("b", [60.0, 61.0, 60.5], data_fingerprint="beef", split="validation")
    verdict = order_of(a, b, across_data=True)
    assert verdict.verdict == "reproduced" and "sentences" not in verdict.reason
    assert trend_of(b, a, direction="rises", across_data=True).verdict == "reproduced"
    with pytest.raises(RequestError, match="different signatures"):
        order_of(a, replace(b, signature=CHANGES[0][0]["signature"]), across_data=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "wish"}, "kind is 'wish'"),
        ({"kind": "value", "row": "a"}, "published is None"),
        ({"kind": "value", "row": "a", "published": 1}, "tolerance is None"),
        ({"kind": "value", "row": "a", "published": 1, "tolerance": -1}, "tolerance is -1.0"),
        ({"kind": "value", "row": "a", "published": 1, "side": "above"}, "side is 'above'"),
        ({"kind": "value", "published": 1, "tolerance": 1}, "row is None"),
        ({"kind": "bound", "row": "a", "side": "at_most"}, "limit is None"),
        ({"kind": "bound", "row": "a", "limit": 1, "side": "equal"}, "side is 'equal'"),
        ({"kind": "not_worse", "row": "a", "than": "b"}, "margin is None"),
        ({"kind": "not_worse", "row": "a", "than": {"row": "b"}, "margin": 0}, "margin is 0"),
        ({"kind": "not_worse", "row": "a", "margin": 1}, "than is None"),
        ({"kind": "order", "better": {"row": "a"}}, "worse is None"),
        ({"kind": "trend", "rows": ["a"], "direction": "rises"}, "at least 2"),
        ({"kind": "trend", "rows": ["a", "a"], "direction": "rises"}, "different rows"),
        ({"kind": "trend", "rows": ["a", "b"], "direction": "peaks"}, "at least 3"),
        ({"kind": "trend", "rows": ["a", "b"], "direction": "up"}, "direction is 'up'"),
        ({"kind": "value", "row": "two", "published": 1, "tolerance": 1}, r"several evaluations \(greedy, oracle\)"),
    ],
)
def test_claims_that_are_none_are_refused(settings: dict, message: str) -> None:
    two = [row("two", [1.0]), row("two", [1.0], evaluation="oracle")]
    with pytest.raises(RequestError, match=message):
        judge({"it": settings}, [row("a", [1.0, 2.0]), row("b", [1.0, 2.0]), *two])


def test_measurements_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(RequestError, match="given twice"):
        judge({}, [row("a", [1.0]), row("a", [2.0])])
    with pytest.raises(RequestError, match="seeds are"):
        judge({}, [row("a", [1.0, 2.0], seeds=(1, 1))])


def test_the_published_number_is_written_with_side_and_tolerance() -> None:
    assert value_of([1.0, 2.0], published=99.7, tolerance=0.5).published == "99.7 ± 0.5"
    assert value_of([1.0, 2.0], published=1.5, side="at_most").published == "≤ 1.5"
    assert order_of(row("a", [1.0, 2.0]), row("b", [1.0, 2.0]), published="54 and 5").published == "54 and 5"
