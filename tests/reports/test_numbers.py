"""Numbers are written in the unit and with the digits their reader expects."""

import math

from s2s_lab.metrics.average_lagging import AverageLagging
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.chrf import ChrF
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.mean_log_prob import MeanLogProb
from s2s_lab.metrics.perplexity import Perplexity
from s2s_lab.metrics.search_errors import SearchErrors
from s2s_lab.metrics.ter import TER
from s2s_lab.metrics.token_accuracy import TokenAccuracy
from s2s_lab.metrics.word_error_rate import WordErrorRate
from s2s_lab.reports.numbers import (
    count,
    decimal,
    digits_for,
    duration,
    in_order,
    p_text,
    rate,
    shown,
    title_of,
    unit_of,
    unit_of_curve,
)


def test_shares_are_shown_in_per_cent_and_bounded_scores_have_bounds() -> None:
    units = {metric.name: unit_of(metric.signature()) for metric in
             (BLEU(), ChrF(), TER(), ExactMatch(), TokenAccuracy(), WordErrorRate(), Perplexity())}  # fmt: skip
    assert {name for name, unit in units.items() if unit.factor == 100} == {
        "exact_match", "token_accuracy", "word_error_rate",
    }  # fmt: skip
    assert {name for name, unit in units.items() if unit.high is None} == {"ter", "word_error_rate", "perplexity"}
    assert {name: unit.low for name, unit in units.items() if unit.low != 0} == {"perplexity": 1.0}


def test_a_score_has_one_unit_wherever_it_is_shown() -> None:
    for metric in (BLEU(), TER(), ExactMatch(), WordErrorRate(), Perplexity(), SearchErrors()):
        unit = unit_of(metric.signature())
        curve = unit_of_curve(f"validation/{metric.name}")
        assert (curve.factor, curve.suffix) == (unit.factor, unit.suffix), metric.name
        assert shown(0.088, metric.signature()).endswith(unit.suffix)
    assert shown(0.088, SearchErrors().signature()) == "8.80 %"
    assert unit_of_curve("train/loss").suffix == unit_of_curve("").suffix == ""


def test_scores_that_can_be_negative_have_no_least_value() -> None:
    for metric in (MeanLogProb(), MeanLogProb(per="token"), AverageLagging()):
        assert unit_of(metric.signature()).bounds() == (-math.inf, math.inf)


def test_numbers() -> None:
    assert [decimal(value) for value in (1234.5, 0.126, None, math.nan)] == ["1,234.50", "0.13", "–", "–"]  # noqa: RUF001
    assert [digits_for(values) for values in ([0.01], [50.0, 0.1], [12345.0], [math.nan])] == [4, 2, 0, 2]
    assert [count(value) for value in (None, 999, 1_234_567, 2.5e9)] == ["–", "999", "1.23 M", "2.50 G"]  # noqa: RUF001
    assert [rate(value) for value in (None, 3.14159, 1234.5)] == ["–", "3.14", "1,234"]  # noqa: RUF001
    assert [p_text(value) for value in (0.0004, 0.0123, 1.0)] == ["< 0.001", "0.012", "1"]


def test_durations_carry_into_the_next_unit() -> None:
    expected = {None: "–", 4.24: "4.2 s", 59.4: "59 s", 59.6: "1 min 00 s", 3599.7: "1 h 00 min", 7620: "2 h 07 min"}  # noqa: RUF001
    assert {seconds: duration(seconds) for seconds in expected} == expected


def test_titles() -> None:
    assert [title_of(name) for name in ("bleu", "chrf", "exact_match")] == ["BLEU", "chrF", "Exact match"]


def test_a_signature_may_say_that_the_score_is_a_share() -> None:
    unit = unit_of("my_metric|nrefs:1|scale:share|version:1")
    assert (unit.factor, unit.suffix, unit.bounds()) == (100.0, " %", (0.0, 100.0))
    assert unit_of("my_metric|nrefs:1|version:1").suffix == ""


def test_seeds_stand_in_the_order_of_numbers() -> None:
    assert in_order(["10", "2", "1", "None", "2"]) == ["1", "2", "10", "None"]
