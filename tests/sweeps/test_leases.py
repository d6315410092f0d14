"""Leases: nothing is promised twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.sweeps.leases import Lease, Leases

ASKED = st.lists(st.one_of(st.tuples(st.integers(1, 6), st.integers(0, 3)), st.none()), max_size=40)


@given(cores=st.integers(1, 4), gpus=st.integers(0, 3), share=st.integers(1, 3), asked=ASKED)
def test_no_core_is_leased_twice_and_no_gpu_more_often_than_it_may_be_shared(
    cores: int, gpus: int, share: int, asked: list[tuple[int, int] | None]
) -> None:
    leases = Leases(cores, [str(number) for number in range(gpus)], jobs_per_gpu=share)
    out: list[Lease] = []
    for wish in asked:
        if wish is None:
            if out:
                leases.give_back(out.pop(0))
        else:
            lease = leases.take(*wish)
            free = cores - sum(item.cores for item in out)
            places = [share - sum(str(gpu) in item.gpus for item in out) for gpu in range(gpus)]
            possible = min(wish[0], cores) <= free and sum(place > 0 for place in places) >= wish[1]
            assert (lease is not None) == possible
            out += [lease] if lease else []
        assert sum(item.cores for item in out) <= cores
        for gpu in leases.gpus:
            assert sum(gpu in item.gpus for item in out) <= share
    for lease in out:
        leases.give_back(lease)
    assert leases.free_cores == cores and set(leases.places.values()) <= {share}


def test_the_gpu_that_is_shared_least_comes_first() -> None:
    leases = Leases(8, ["a", "b"], jobs_per_gpu=2)
    taken = [leases.take(1, 1) for _ in range(4)]
    assert [lease.gpus for lease in taken if lease] == [("a",), ("b",), ("a",), ("b",)]
    assert leases.take(1, 1) is None


@pytest.mark.parametrize(
    ("cores", "gpus", "shared", "asked", "places"),
    [
        (8, 0, 1, (1, 0), 8),
        (8, 0, 1, (3, 0), 2),
        (8, 0, 1, (16, 0), 1),  # it gets all there are
        (8, 2, 1, (1, 1), 2),
        (8, 2, 3, (1, 1), 6),
        (8, 4, 1, (1, 2), 2),
        (8, 4, 1, (1, 0), 8),
        (4, 4, 4, (2, 1), 2),
    ],
)
def test_so_many_leases_can_be_had_at_once_and_no_more(
    cores: int, gpus: int, shared: int, asked: tuple[int, int], places: int
) -> None:
    leases = Leases(cores, [str(number) for number in range(gpus)], shared)
    assert leases.places_for(*asked) == places
    assert all(leases.take(*asked) for _ in range(places)) and leases.take(*asked) is None
