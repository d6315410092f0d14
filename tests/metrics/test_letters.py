"""Letters say exactly which rows are told apart, with no more of them than needed."""

import itertools

import numpy as np
import pytest

from s2s_lab.metrics.letters import compact_letters, shared


def least_letters(rows: int, told: np.ndarray) -> int:
    """By brute force, the fewest columns that cover all rows and all pairs that are not told apart."""
    cliques = [
        set(members)
        for size in range(1, rows + 1)
        for members in itertools.combinations(range(rows), size)
        if not any(told[i, j] for i, j in itertools.combinations(members, 2))
    ]
    needs = [{row} for row in range(rows)]
    needs += [{i, j} for i, j in itertools.combinations(range(rows), 2) if not told[i, j]]
    maximal = [clique for clique in cliques if not any(clique < other for other in cliques)]
    for count in range(1, len(maximal) + 1):
        for chosen in itertools.combinations(maximal, count):
            if all(any(need <= clique for clique in chosen) for need in needs):
                return count
    raise AssertionError("maximal cliques cover everything")


def random_matrix(rows: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.triu(generator.random((rows, rows)) < generator.random(), 1)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 13])
def test_rows_share_a_letter_if_and_only_if_they_are_not_told_apart(rows: int) -> None:
    for seed in range(40):
        told = random_matrix(rows, seed)
        letters = compact_letters(rows, lambda i, j, told=told: bool(told[i, j]))
        assert all(letters)
        assert letters[0].startswith("a"), "the best row has the first letter"
        for i, j in itertools.combinations(range(rows), 2):
            assert shared(letters[i], letters[j]) != told[i, j], (seed, i, j, letters)


def test_letters_are_few() -> None:
    """The sweep is greedy, so that it may miss the fewest by a little, but not often."""
    surplus = []
    for seed in range(60):
        told = random_matrix(5, seed)
        letters = compact_letters(5, lambda i, j, told=told: bool(told[i, j]))
        surplus.append(len(set("".join(letters))) - least_letters(5, told))
    assert min(surplus) == 0 and max(surplus) <= 1 and sum(surplus) <= 3


def test_the_usual_cases() -> None:
    assert compact_letters(0, lambda i, j: True) == []
    assert compact_letters(3, lambda i, j: False) == ["a", "a", "a"]
    assert compact_letters(3, lambda i, j: True) == ["a", "b", "c"]
    assert compact_letters(3, lambda i, j: (i, j) == (0, 2)) == ["a", "ab", "b"]


def test_there_are_letters_for_more_rows_than_the_alphabet_has() -> None:
    letters = compact_letters(60, lambda i, j: True)
    assert (letters[0], letters[26], letters[52]) == ("a", "A", "a2")
    assert not any(shared(first, second) for first, second in itertools.combinations(letters, 2))
