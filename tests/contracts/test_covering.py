"""A covering array holds every allowed pair and no refused row."""

import itertools
import math
import random

import pytest

from tests.contracts.covering import covering


def test_every_pair_is_held_by_few_rows():
    axes = {name: list(range(size)) for name, size in {"a": 7, "b": 4, "c": 3, "d": 5, "e": 2}.items()}
    rows = covering(axes)
    for first, second in itertools.combinations(axes, 2):
        assert {(row[first], row[second]) for row in rows} == set(itertools.product(axes[first], axes[second]))
    assert 35 <= len(rows) <= 50


@pytest.mark.parametrize("strength", [1, 3, 4])
def test_every_meeting_of_more_options_is_held(strength):
    axes = {"a": list("pqr"), "b": list(range(4)), "c": [True, False], "d": list(range(3))}
    rows = covering(axes, strength=strength)
    for group in itertools.combinations(axes, strength):
        met = {tuple(row[axis] for axis in group) for row in rows}
        assert met == set(itertools.product(*(axes[axis] for axis in group)))
    assert len(rows) < 2 * math.prod(sorted(map(len, axes.values()))[-strength:])


def test_refused_combinations_are_left_out_and_all_others_kept():
    axes = {"a": list(range(5)), "b": list(range(4)), "c": list(range(3))}
    refused = {("a", "b", *pair) for pair in random.Random(1).sample(list(itertools.product(range(5), range(4))), 8)}

    def is_refused(row):
        return ("a", "b", row.get("a"), row.get("b")) in refused

    rows = covering(axes, is_refused)
    assert not any(is_refused(row) for row in rows)
    kept = {pair for pair in itertools.product(range(5), range(4)) if ("a", "b", *pair) not in refused}
    assert {(row["a"], row["b"]) for row in rows} == kept
