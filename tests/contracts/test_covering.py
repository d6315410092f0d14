"""A covering array holds every allowed pair and no refused row."""

import itertools
import random

from tests.contracts.covering import covering


def test_every_pair_is_held_by_few_rows():
    axes = {name: list(range(size)) for name, size in {"a": 7, "b": 4, "c": 3, "d": 5, "e": 2}.items()}
    rows = covering(axes)
    for first, second in itertools.combinations(axes, 2):
        assert {(row[first], row[second]) for row in rows} == set(itertools.product(axes[first], axes[second]))
    assert 35 <= len(rows) <= 50


def test_refused_combinations_are_left_out_and_all_others_kept():
    axes = {"a": list(range(5)), "b": list(range(4)), "c": list(range(3))}
    refused = {("a", "b", *pair) for pair in random.Random(1).sample(list(itertools.product(range(5), range(4))), 8)}

    def is_refused(row):
        return ("a", "b", row.get("a"), row.get("b")) in refused

    rows = covering(axes, is_refused)
    assert not any(is_refused(row) for row in rows)
    kept = {pair for pair in itertools.product(range(5), range(4)) if ("a", "b", *pair) not in refused}
    assert {(row["a"], row["b"]) for row in rows} == kept
