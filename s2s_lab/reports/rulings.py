"""The rules by which scores over seeds decide a claim: a value, an order, a trend."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from s2s_lab.metrics.seeds import (
    SeedTest,
    paired_test,
    seeds_for_interval,
    seeds_for_paired_power,
    seeds_for_power,
    welch_test,
)
from s2s_lab.metrics.significance import Interval, t_interval
from s2s_lab.reports.entries import LEVEL
from s2s_lab.reports.numbers import decimal, digits_for, p_text

NO_SPREAD = "tells nothing about the spread, at least one more is needed"
Decision = Literal["reproduced", "not reproduced", "inconclusive", "open"]
Side = Literal["equal", "at_least", "at_most"]
Direction = Literal["rises", "falls", "peaks"]
Test = Callable[..., SeedTest]
Power = Callable[..., int | None]


@dataclass(frozen=True)
class Ruling:
    """What the scores say about a claim.

    Attributes:
        decision: The verdict.
        reason: Why, in one sentence.
        more_seeds: Of an inconclusive claim, how many more seeds of each row would decide it if difference and spread
            stay as they are; None where no number of seeds would, or it is not known.
    """

    decision: Decision
    reason: str
    more_seeds: int | None = None


def value_ruling(
    values: Sequence[float], published: float, tolerance: float, side: Side, bounds: tuple[float, float]
) -> Ruling:
    """Rule whether a mean over seeds agrees with a published value.

    The 95 % t-interval over seeds, cut to the range a score can have, is held against published - tolerance to
    published + tolerance (`equal`), upwards of published - tolerance (`at_least`) or up to published + tolerance
    (`at_most`), ends included. Wholly inside: reproduced; wholly outside: not reproduced; else, and from one seed:
    inconclusive.

    Args:
        values: One for each seed.
        published: What the paper reports, in the same unit.
        tolerance: How far ours may be from it.
        side: Which values agree.
        bounds: Least and greatest possible value.
    """
    low = -math.inf if side == "at_most" else published - tolerance
    high = math.inf if side == "at_least" else published + tolerance
    accepted = "the tolerated " + _range_text(low, high)
    interval = t_interval(values)
    if interval.n == 1:
        return Ruling(
            "inconclusive",
            f"one seed {NO_SPREAD} (tolerated: {_range_text(low, high).removeprefix('range ')})",
        )
    least, most = max(interval.low, min(interval.mean, bounds[0])), min(interval.high, max(interval.mean, bounds[1]))
    rounding = 1e-9 * max(1.0, abs(published))
    ours = f"the interval {_range_text(least, most)}"
    if least >= low - rounding and most <= high + rounding:
        return Ruling("reproduced", f"{ours} lies within {accepted}")
    if most < low - rounding or least > high + rounding:
        return Ruling("not reproduced", f"{ours} lies outside {accepted}")
    ends = [end for end in (low, high) if bounds[0] < end < bounds[1]]  # what no score can pass needs no room
    room = min((abs(interval.mean - end) for end in ends), default=0.0)
    more = seeds_for_interval(values, room) if room > rounding else None
    return Ruling("inconclusive", f"{ours} lies partly outside {accepted}", more)


def margin_ruling(
    values: Sequence[float],
    than: Sequence[float],
    margin: float,
    *,
    higher_is_better: bool = True,
    same_models: bool = False,
) -> Ruling:
    """Rule whether one row is not worse than another by a margin or more: a test of non-inferiority over seeds.

    Reproduced when the 95 % interval of the difference (Welch's; of two decodings of the same models the paired one)
    lies above minus the margin, better being positive; not reproduced when it lies below; else inconclusive. A
    difference that is not significant is no evidence of equality: that the interval excludes the margin is.

    Args:
        values: Over seeds, of the row that is claimed to be no worse.
        than: The same of the other.
        margin: In the scores' unit, above 0.
        higher_is_better: Of the score.
        same_models: Whether both are of the same trained models, seed by seed.
    """
    if min(len(values), len(than)) < 2:
        return Ruling("inconclusive", f"one seed of a row {NO_SPREAD}")
    test, power = _tests(same_models)
    sign = 1 if higher_is_better else -1
    shifted = [sign * value + margin for value in values]
    found = test(shifted, [sign * value for value in than])
    low, high = found.low - margin, found.high - margin
    ours = f"the difference, better being positive, is {_range_text(low, high)}"
    digits = digits_for([low, high, margin])
    if found.low > 0:
        return Ruling("reproduced", f"{ours}, above -{decimal(margin, digits)}")
    if found.high < 0:
        return Ruling("not reproduced", f"{ours}, below -{decimal(margin, digits)}")
    more = power(shifted, [sign * value for value in than])
    return Ruling("inconclusive", f"{ours}, on both sides of -{decimal(margin, digits)}", 1 if more == 0 else more)


@dataclass(frozen=True)
class Order:
    """What speaks for an order of two rows.

    Attributes:
        better: Scores over seeds of the row that is claimed to be better.
        worse: The same of the other.
        higher_is_better: Of the score.
        over_seeds: p-value of the test over seeds, corrected; None when a side has one seed.
        over_sentences: p-value of the paired test, corrected; None without statistics of sentences.
        paired: Whether the two were measured on the same sentences.
        same_models: Whether both are of the same trained models, seed by seed: two decodings of one row.
        tests: How many order claims of the study the p-values are corrected for.
    """

    better: tuple[float, ...]
    worse: tuple[float, ...]
    higher_is_better: bool
    over_seeds: float | None
    over_sentences: float | None
    paired: bool = True
    same_models: bool = False
    tests: int = 1

    @property
    def difference(self) -> float:
        """Of the means; positive when it is as claimed."""
        return (1 if self.higher_is_better else -1) * float(np.mean(self.better) - np.mean(self.worse))


def order_ruling(order: Order) -> Ruling:
    """Rule whether one row is better than another.

    Reproduced when the difference is as claimed and both the test over seeds (Welch's; of two decodings of the same
    models the paired one) and the paired test over sentences (seeds averaged) find it at 5 %, each corrected after Holm
    over the study's order claims; not reproduced when both find the opposite; else inconclusive. Rows measured on
    different sentences are judged by the seeds alone.
    """
    if order.over_seeds is None:
        return Ruling("inconclusive", f"one seed of a row {NO_SPREAD}")
    texts = [f"p over seeds {_equals(order.over_seeds)}"]
    if order.paired:
        if order.over_sentences is None:
            reason = f"{texts[0]}, but no statistics of single sentences are recorded for a paired test"
            return Ruling("inconclusive", reason)
        texts.append(f"p over sentences {_equals(order.over_sentences)}")
    found = order.over_seeds < LEVEL and (not order.paired or (order.over_sentences or 0.0) < LEVEL)
    said = f"{' and '.join(texts)}, Holm-corrected"
    if found and order.difference != 0:
        as_claimed = order.difference > 0
        return Ruling("reproduced" if as_claimed else "not reproduced",
                      f"{'as claimed' if as_claimed else 'the opposite holds'}: {said}")  # fmt: skip
    if order.over_seeds < LEVEL:
        return Ruling("inconclusive", f"told apart over seeds, but not over sentences: {said}")
    more = None
    if not order.paired or (order.over_sentences or 0.0) < LEVEL:  # else no seed may help
        more = _tests(order.same_models)[1](order.better, order.worse, level=LEVEL / order.tests)
        more = 1 if more == 0 else more  # the spread says that they should suffice: chance
    return Ruling("inconclusive", f"not told apart: {said}", more)


def trend_ruling(
    scores: Mapping[str, Sequence[float]],
    direction: Direction,
    *,
    higher_is_better: bool = True,
    same_models: bool = False,
) -> Ruling:
    """Rule whether scores rise, fall or peak along rows, or along decodings of one row.

    All by Welch intervals of differences of two rows over their seeds; of decodings by paired ones.

    - `rises`: reproduced when the 95 % interval of last minus first row lies above 0 and no step from one row to the
      next falls (interval below 0, of the steps' joint level 95 % after Bonferroni); not reproduced when last minus
      first lies below 0 or a step falls; else inconclusive. `falls` mirrors it. Both speak of the number itself,
      whether or not higher is better.
    - `peaks`: the best score lies inside. Reproduced when the best inner row is better than the first and than the last
      row (intervals of joint level 95 % after Bonferroni over both ends and all inner rows); not reproduced when the
      first or the last row is better than every inner one (95 % each); else inconclusive.

    Args:
        scores: Row -> scores over seeds, in the claim's order; at least two rows, for `peaks` three.
        direction: What is claimed.
        higher_is_better: Which end of the scale a peak is at.
        same_models: Whether all are of the same trained models, seed by seed.
    """
    alone = [row for row, values in scores.items() if len(values) < 2]
    if alone:
        return Ruling("inconclusive", f"one seed of {', '.join(alone)} {NO_SPREAD}")
    if direction == "peaks":
        return _peak_ruling(scores, *_tests(same_models), sign=1 if higher_is_better else -1)
    return _slope_ruling(scores, *_tests(same_models), direction)


def more_seeds_text(more: int | None) -> str:
    """Write what `Ruling.more_seeds` says, as a sentence after the reason; empty where it says nothing."""
    return f"About {more} more seed{'' if more == 1 else 's'} of each row would tell." if more else ""


def mean_text(values: Sequence[float], digits: int | None = None) -> str:
    """Write mean and half of the 95 % t-interval over seeds: `99.12 ± 0.30`."""
    interval: Interval = t_interval(values)
    shown = digits_for(list(values)) if digits is None else digits
    text = decimal(interval.mean, shown)
    return f"{text} ± {decimal(interval.high - interval.mean, shown)}" if interval.n > 1 else text


def _tests(same_models: bool) -> tuple[Test, Power]:
    """Give the test over seeds, and what counts the seeds it needs."""
    return (paired_test, seeds_for_paired_power) if same_models else (welch_test, seeds_for_power)


def _slope_ruling(scores: Mapping[str, Sequence[float]], test: Test, power: Power, direction: Direction) -> Ruling:
    sign = 1 if direction == "rises" else -1
    names = list(scores)
    first, last = scores[names[0]], scores[names[-1]]
    whole = test(last, first)
    against = [
        f"{earlier} to {later}"
        for earlier, later in pairwise(names)
        if _below(test(scores[later], scores[earlier], 1 - LEVEL / (len(names) - 1)), sign)
    ]
    ends = f"from {names[0]} to {names[-1]} the interval of the change is {_range_text(whole.low, whole.high)}"
    if against:
        opposite = "falls" if direction == "rises" else "rises"
        return Ruling("not reproduced", f"it {opposite} from {', and from '.join(against)}")
    if _below(whole, sign):
        return Ruling("not reproduced", ends)
    if _below(whole, -sign):
        return Ruling("reproduced", f"{ends}, and no step goes the other way")
    more = power(last, first)
    return Ruling("inconclusive", ends, 1 if more == 0 else more)


def _peak_ruling(scores: Mapping[str, Sequence[float]], test: Test, power: Power, *, sign: int) -> Ruling:
    names = list(scores)
    inner, ends = names[1:-1], (names[0], names[-1])
    for end in ends:
        if all(_below(test(scores[row], scores[end]), sign) for row in inner):
            return Ruling("not reproduced", f"{end}, an end, is better than every row between")
    peak = max(inner, key=lambda row: sign * float(np.mean(scores[row])))
    confidence = 1 - LEVEL / (2 * len(inner))
    tests = {end: test(scores[peak], scores[end], confidence) for end in ends}
    undecided = [end for end, found in tests.items() if not _below(found, -sign)]
    if not undecided:
        return Ruling("reproduced", f"{peak} is better than both ends")
    needed = [
        power(scores[peak], scores[end], level=1 - confidence) if sign * tests[end].difference > 0 else None
        for end in undecided
    ]
    known = [more for more in needed if more]
    reason = f"{peak}, the best between the ends, is not told apart from {' and '.join(undecided)}"
    return Ruling("inconclusive", reason, max(known) if len(known) == len(needed) else None)


def _below(found: SeedTest, sign: int) -> bool:
    """Tell whether the interval of the difference, times the sign, lies below 0."""
    return (found.high if sign > 0 else -found.low) < 0


def _equals(p_value: float) -> str:
    text = p_text(p_value)
    return text if text.startswith("<") else f"= {text}"


def _range_text(low: float, high: float) -> str:
    digits = digits_for([value for value in (low, high) if math.isfinite(value)])
    if math.isinf(low):
        return f"range up to {decimal(high, digits)}"
    if math.isinf(high):
        return f"range from {decimal(low, digits)}"
    return f"{decimal(low, digits)} to {decimal(high, digits)}"
