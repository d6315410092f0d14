"""Leases: nothing is promised twice."""

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
