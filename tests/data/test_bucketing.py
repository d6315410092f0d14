"""Laws of the batches: complete, seeded, resumable, shared by ranks, full, and within their limits."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_lab.data.bucketing import BucketedBatches, Rows
from s2s_lab.faults import RequestError

LIMITS = [{"max_sentences": 16}, {"max_tokens": 300}, {"max_sentences": 16, "max_tokens": 300}]


def lengths(count: int, seed: int = 0, longest: int = 40) -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(seed)
    sources = np.clip(noise.normal(14, 5, count).round(), 2, longest).astype(np.int32)
    targets = np.clip(sources + noise.integers(-3, 4, count), 2, longest).astype(np.int32)
    return sources, targets


def batches(count: int = 1000, **options: object) -> BucketedBatches:
    sources, targets = lengths(count)
    settings_: dict = {"max_sentences": 16, "shuffle": True, "seed": 1, **options}
    return BucketedBatches(source_lengths=sources, target_lengths=targets, **settings_)


def as_lists(rows: list[Rows]) -> list[list[int]]:
    return [batch.indices.tolist() for batch in rows]


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_sentence_comes_exactly_once_an_epoch_over_all_ranks(
    world_size: int, limits: dict, shuffle: bool
) -> None:
    options = {"max_sentences": None, **limits, "shuffle": shuffle}
    for epoch in range(3):
        seen: list[int] = []
        per_rank = []
        for rank in range(world_size):
            sampler = batches(**options, rank=rank, world_size=world_size)
            sampler.set_epoch(epoch)
            per_rank.append(list(sampler))
            assert len(per_rank[-1]) == len(sampler)
            seen += [index for rows in per_rank[-1] for index in rows.indices.tolist()]
        assert sorted(seen) == list(range(1000))
        for step in zip(*per_rank, strict=True):
            assert sum(len(rows.indices) for rows in step) == step[0].global_rows
            assert len({rows[1:] for rows in step}) == 1


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_ranks_share_the_global_batches_of_a_single_rank(limits: dict) -> None:
    options = {"max_sentences": None, **limits}
    whole = list(batches(**options))
    shares = [list(batches(**options, rank=rank, world_size=3)) for rank in range(3)]
    for step, rows in enumerate(whole):
        assert all(np.array_equal(shares[rank][step].indices, rows.indices[rank::3]) for rank in range(3))
        assert rows.global_rows == len(rows.indices)
        assert rows.global_tokens == lengths(1000)[1][rows.indices].sum()
        assert rows.global_source_tokens == lengths(1000)[0][rows.indices].sum()


@pytest.mark.parametrize("accumulate", [1, 3, 1000])
def test_a_batch_knows_the_tokens_of_its_optimizer_step(accumulate: int) -> None:
    rows = list(batches(accumulate=accumulate))
    for first in range(0, len(rows), accumulate):
        step = rows[first : first + accumulate]
        assert {batch.step_tokens for batch in step} == {sum(batch.global_tokens for batch in step)}


def test_a_rank_goes_without_where_there_are_fewer_rows_than_ranks() -> None:
    shares = [list(batches(2, rank=rank, world_size=3)) for rank in range(3)]
    assert [[len(rows.indices) for rows in share] for share in shares] == [[1], [1], [0]]
    assert {share[0].global_rows for share in shares} == {2}


@settings(database=None, max_examples=200, deadline=None)
@given(st.data())
def test_limits_hold_and_nobody_is_lost_for_any_lengths(data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=120))
    sources, targets = (np.asarray(side, np.int32) for side in zip(*pairs, strict=True))
    ranks = data.draw(st.integers(1, 3))
    sentences = data.draw(st.one_of(st.none(), st.integers(1, 20)))
    tokens = data.draw(st.integers(30, 600)) if sentences is None else data.draw(
        st.one_of(st.none(), st.integers(30, 600))
    )  # fmt: skip
    shuffle, seed = data.draw(st.booleans()), data.draw(st.integers(0, 5))
    seen: list[int] = []
    for rank in range(ranks):
        sampler = BucketedBatches(
            source_lengths=sources, target_lengths=targets, max_sentences=sentences, max_tokens=tokens,
            shuffle=shuffle, seed=seed, rank=rank, world_size=ranks,
        )  # fmt: skip
        rows = list(sampler)
        assert len(rows) == len(sampler)
        for batch in rows:
            assert batch.global_rows
            assert sentences is None or batch.global_rows <= sentences
            if tokens is not None and len(batch.indices):
                width = max(sources[batch.indices].max(), targets[batch.indices].max())
                assert width * len(batch.indices) <= tokens
                assert ranks > 1 or width * batch.global_rows <= tokens
        seen += [index for batch in rows for index in batch.indices.tolist()]
    assert sorted(seen) == list(range(len(pairs)))


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_the_order_follows_from_seed_and_epoch_alone(limits: dict) -> None:
    options = {"max_sentences": None, **limits}

    def epoch(seed: int, number: int) -> list[list[int]]:
        sampler = batches(**options, seed=seed)
        sampler.set_epoch(number)
        return as_lists(list(sampler))

    assert epoch(1, 0) == epoch(1, 0)
    assert epoch(1, 0) != epoch(1, 1)
    assert epoch(1, 0) != epoch(2, 0)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_the_number_of_batches_is_the_same_in_every_epoch(limits: dict) -> None:
    sampler = batches(2000, **{"max_sentences": None, **limits})
    for epoch in range(8):
        sampler.set_epoch(epoch)
        assert sum(1 for _ in sampler) == len(sampler)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_other_sentences_meet_in_each_epoch(limits: dict) -> None:
    sampler = batches(29000, **{"max_sentences": None, **limits, "max_tokens": limits.get("max_tokens") and 4096})
    first = [frozenset(rows.indices.tolist()) for rows in sampler]
    sampler.set_epoch(1)
    home = {index: frozenset(rows.indices.tolist()) for rows in sampler for index in rows.indices.tolist()}
    again = [len(batch & home[min(batch)]) / len(batch) for batch in first if len(batch) > 1]
    assert np.mean(again) < 0.5


def test_without_shuffling_the_longest_come_first_and_iterating_again_gives_the_same() -> None:
    sampler = batches(shuffle=False)
    first = list(sampler)
    widths = [lengths(1000)[1][rows.indices].max() for rows in first]
    assert all(longer >= shorter for longer, shorter in pairwise(widths))
    assert as_lists(list(sampler)) == as_lists(first)


def test_a_subset_gives_its_own_sentences_only() -> None:
    chosen = np.asarray([5, 900, 17, 333, 42])
    rows = list(batches(subset=chosen, shuffle=False, max_sentences=2))
    assert sorted(index for batch in rows for index in batch.indices.tolist()) == sorted(chosen.tolist())


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("done", [0, 1, 7, None])
def test_a_restored_state_gives_exactly_the_batches_that_were_left(limits: dict, done: int | None) -> None:
    options = {"max_sentences": None, **limits}
    original = batches(**options)
    original.set_epoch(2)
    total = len(original) if done is None else done
    stream = iter(original)
    for _ in range(total):
        next(stream)
    state = original.state_dict()
    assert state["position"] == total
    left = as_lists(list(stream))
    restored = batches(**options)
    restored.load_state_dict(state)
    restored.set_epoch(2)
    assert as_lists(list(restored)) == left
    restored.set_epoch(3)
    original.set_epoch(3)
    assert as_lists(list(restored)) == as_lists(list(original))


def test_a_position_behind_a_loader_that_fetched_ahead_can_be_stated() -> None:
    original, restored = batches(), batches()
    everything = as_lists(list(original))
    restored.load_state_dict(original.state_dict(position=4))
    assert as_lists(list(restored)) == everything[4:]


@pytest.mark.parametrize("change", [{"seed": 2}, {"max_sentences": 8}, {"count": 999}, {"shuffle": False}], ids=str)
def test_a_state_of_other_data_or_settings_is_refused(change: dict) -> None:
    with pytest.raises(RequestError, match="other data, batch settings or seed"):
        batches(**change).load_state_dict(batches().state_dict())


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_a_position_may_be_resumed_on_another_number_of_ranks(limits: dict) -> None:
    options = {"max_sentences": None, **limits}
    state = batches(**options).state_dict(position=3)
    restored = batches(**options, rank=1, world_size=2)
    restored.load_state_dict(state)
    assert len(list(restored)) == len(restored) - 3


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_fill_is_real_tokens_over_padded_tokens(limits: dict) -> None:
    sampler = batches(**{"max_sentences": None, **limits})
    real, padded = {}, {}
    for side, values in zip(("source", "target"), lengths(1000), strict=True):
        real[side] = values.sum()
        padded[side] = sum(values[rows.indices].max() * len(rows.indices) for rows in sampler)
        assert sampler.fill(side) == pytest.approx(real[side] / padded[side])
    assert sampler.fill() == pytest.approx(sum(real.values()) / sum(padded.values()))


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_fill_counts_the_sentences_that_were_drawn(epoch: int) -> None:
    sampler, (sources, _) = batches(60, replacement=True), lengths(60)
    sampler.set_epoch(epoch)
    real = sum(int(sources[rows.indices].sum()) for rows in sampler)
    padded = sum(int(sources[rows.indices].max()) * len(rows.indices) for rows in sampler)
    assert sampler.fill("source") == pytest.approx(real / padded)


def test_batches_of_tokens_are_never_empty_among_long_documents() -> None:
    document = np.array([600] * 39 + [5] * 130)
    sampler = BucketedBatches(source_lengths=document, target_lengths=document, max_tokens=1000, shuffle=True, seed=1)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        found = list(sampler)
        assert len(found) == len(sampler) and min(rows.global_rows for rows in found) > 0
        assert sorted(np.concatenate([rows.indices for rows in found]).tolist()) == list(range(169))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_sentences": None}, r"max_sentences or data\.batch\.max_tokens must be given"),
        ({"max_tokens": 20}, r"max_tokens=20: at least \d+ for the longest sentence of \d+ tokens"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(options: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        batches(**options)


def test_an_epoch_drawn_with_replacement_has_as_many_sentences_each_as_probable_as_the_others() -> None:
    drawn = np.zeros(1000)
    for epoch in range(200):
        sampler = batches(replacement=True)
        sampler.set_epoch(epoch)
        rows = np.concatenate([batch.indices for batch in sampler])
        assert len(rows) == 1000 and len(sampler) == len(batches())
        if not epoch:
            assert 600 < len(np.unique(rows)) < 665  # 1 - 1/e of them, within 4 standard deviations
        drawn += np.bincount(rows, minlength=1000)
    assert drawn.sum() == 200_000
    # Each count is binomial with mean and variance near 200; their squared deviations sum to chi2 with 999 degrees.
    assert abs(((drawn - 200) ** 2 / 200).sum() - 999) < 4 * (2 * 999) ** 0.5


@pytest.mark.parametrize("done", [0, 5, 62])
def test_draws_with_replacement_go_on_where_they_stood_and_are_shared_by_ranks(done: int) -> None:
    whole = batches(replacement=True)
    whole.set_epoch(3)
    everything = as_lists(list(whole))
    resumed = batches(replacement=True)
    resumed.load_state_dict(whole.state_dict(position=done))
    assert as_lists(list(resumed)) == everything[done:]
    ranks = [batches(replacement=True, rank=rank, world_size=2) for rank in range(2)]
    for sampler in ranks:
        sampler.set_epoch(3)
    for one, other, together in zip(*(as_lists(list(sampler)) for sampler in ranks), everything, strict=True):
        assert sorted([*one, *other]) == sorted(together)


def test_a_position_among_draws_with_replacement_is_none_of_an_epoch_without() -> None:
    with pytest.raises(RequestError, match="other data, batch settings or seed"):
        batches().load_state_dict(batches(replacement=True).state_dict())


def test_replacement_is_refused_with_batches_of_padded_tokens() -> None:
    with pytest.raises(RequestError, match=r"data\.replacement=true data\.batch\.max_tokens=300"):
        batches(replacement=True, max_sentences=None, max_tokens=300)
