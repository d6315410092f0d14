"""Tells whether a training ended while its monitored metric was still getting better."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Verdict(NamedTuple):
    """Whether a run is under-trained, and why it is called so or not."""

    flag: bool
    reason: str


def under_trained(
    values: Sequence[tuple[int, float]],
    *,
    higher_is_better: bool,
    stopped_early: bool,
    tail: float = 0.2,
    tolerance: float = 0.01,
) -> Verdict:
    """Judges a training from its validations.

    A run that spent its whole budget is under-trained when the best value of the last `tail` of its steps is better
    than the best before them by more than `tolerance` of that value; so is one whose last value is not finite.

    Args:
        values: (optimizer step, monitored value) of each validation, in order.
        higher_is_better: direction of the value.
        stopped_early: whether early stopping ended it.
        tail: share of the steps looked at.
        tolerance: relative improvement that counts.
    """
    if values and not math.isfinite(values[-1][1]):
        return Verdict(True, "the monitored value of its last validation is not finite")
    if stopped_early:
        return Verdict(False, "early stopping found no more improvement")
    if len(values) < 2:
        return Verdict(True, "it was validated less than twice, so nothing shows that it had converged")
    values = [(step, value) for step, value in values if math.isfinite(value)]
    sign = 1.0 if higher_is_better else -1.0
    border = values[-1][0] * (1.0 - tail)
    before = [sign * value for step, value in values if step <= border] or [sign * values[0][1]]
    after = [sign * value for step, value in values if step > border]
    gain = max(after) - max(before)
    if gain > 0 and max(before) == 0.0:
        return Verdict(True, f"in the last {tail:.0%} of the steps the monitored value left 0")
    share = gain / max(abs(max(before)), 1e-12)
    if share > tolerance:
        return Verdict(True, f"in the last {tail:.0%} of the steps the monitored value still improved by {share:.1%}")
    return Verdict(
        False, f"in the last {tail:.0%} of the steps the monitored value improved by no more than {tolerance:.0%}"
    )
