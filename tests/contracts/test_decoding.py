"""Laws of decoding strategies, held by every option found in conf/decoding."""

from __future__ import annotations

import gc
import itertools
import math
import sys
from collections import Counter
from typing import Any

import pytest
import torch

from s2s_lab.decoding import beam, diverse_beam, rescoring, rowwise, state, stochastic_beam
from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.state import room_for
from s2s_lab.decoding.task import Demands, Task
from s2s_lab.nested import batch_size
from tests.contracts.strategies import (
    DRAWN_EACH_ALONE,
    FORCED,
    GREEDY,
    OPTIONS,
    RANKS_IN_PYTHON,
    SPECIAL,
    TREE_SEARCHES,
    Alike,
    Trigrams,
    as_wide_as,
    build,
    build_wide,
    every_choosing_option,
    every_option,
    every_stepwise_option,
    outputs,
    symbols,
    target,
)
from tests.operations import Operations


def test_there_are_options() -> None:
    assert {"greedy", "beam", "sampling"} <= OPTIONS.keys()


@every_option
def test_order_batching_and_padding_change_nothing(option: str) -> None:
    toy, strategy = Trigrams(), build(option)
    whole = strategy.decode(**toy.arguments())
    shuffled = torch.randperm(20).tolist()
    by_order = strategy.decode(**toy.arguments(shuffled, padding=3))
    assert outputs(by_order) == outputs([whole[sentence] for sentence in shuffled])
    for sentence in range(20):
        assert outputs(strategy.decode(**toy.arguments([sentence]))) == outputs([whole[sentence]])


@every_option
def test_log_probabilities_in_float32_do_not_depend_on_the_batch(option: str) -> None:
    toy, strategy = Trigrams(dtype=torch.float32), build(option)
    whole = strategy.decode(**toy.arguments(padding=2))
    for sentence in range(20):
        (alone,) = strategy.decode(**toy.arguments([sentence]))
        for found, expected in zip(alone, whole[sentence], strict=True):
            assert found.log_prob == pytest.approx(expected.log_prob, rel=1e-5, abs=1e-5)


@every_option
def test_the_same_call_gives_the_same_result_and_changes_none_of_its_arguments(option: str) -> None:
    toy, strategy = Trigrams(), build(option)
    given = toy.arguments()
    tensors = [*given["memory"][1], given["memory"][0], given["state"][0][0], given["state"][1]]
    kept = [tensor.clone() for tensor in tensors]
    assert strategy.decode(**given) == strategy.decode(**given)
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(tensors, kept, strict=True))


@every_option
def test_a_step_may_give_scores_that_it_keeps(option: str) -> None:
    logits = torch.randn(8, 8, dtype=torch.float64)
    found = []
    for table in (logits, logits.log_softmax(-1)):  # the same to a strategy
        kept = table.clone()
        decoded = build(option, max_length=6).decode(
            step=lambda previous, table, memory: (table[0].index_select(0, previous), table, None),
            state=table.unsqueeze(0).expand(1, -1, -1),
            memory=torch.zeros(1),
            source_lengths=torch.tensor([4]),
            sentence_index=torch.tensor([0]),
        )
        found.append(outputs(decoded))
        assert torch.equal(table, kept)
    assert found[0] == found[1]


@every_option
def test_a_log_probability_is_that_of_rescoring_and_the_weights_are_those_of_the_steps(option: str) -> None:
    toy, strategy = Trigrams(), build_wide(option, 3)
    for sentence, found in enumerate(strategy.decode(**toy.arguments(padding=2), return_weights=True)):
        for hypothesis in found:
            log_prob, weights = toy.rescore(sentence, symbols(hypothesis))
            assert hypothesis.log_prob == pytest.approx(log_prob, rel=1e-12)
            assert hypothesis.weights is not None
            assert hypothesis.weights.shape == (len(symbols(hypothesis)), int(toy.lengths[sentence]))
            torch.testing.assert_close(hypothesis.weights, weights)
    assert all(h.weights is None for found in strategy.decode(**toy.arguments()) for h in found)


@every_option
def test_hypotheses_are_sorted_and_as_many_as_asked_for_and_distinct_unless_drawn(option: str) -> None:
    toy, strategy = Trigrams(), build_wide(option, 4)
    if option in RANKS_IN_PYTHON:  # of more samples, so that four are distinct
        strategy = build(option, num_hypotheses=4)
    for found in strategy.decode(**toy.arguments()):
        scores = [hypothesis.score for hypothesis in found]
        groups = OPTIONS[option].get("groups", 1)  # what several groups found counts once
        assert strategy.num_hypotheses // groups <= len(found) <= strategy.num_hypotheses
        assert groups > 1 or len(found) == strategy.num_hypotheses
        assert scores == sorted(scores, reverse=True)
        if option not in DRAWN_EACH_ALONE:
            assert max(Counter((hypothesis.ids, hypothesis.finished) for hypothesis in found).values()) == 1


@every_choosing_option
def test_lengths_are_within_their_limits_and_special_ids_never_shown(option: str) -> None:
    toy = Trigrams()
    strategy = build(option, min_length=3, max_length=6, max_length_ratio=1.0, max_length_constant=3)
    cut = 0
    for length, found in zip(toy.lengths.tolist(), strategy.decode(**toy.arguments()), strict=True):
        for hypothesis in found:
            limit = min(6, length + 3)
            assert 3 <= len(hypothesis.ids) and len(symbols(hypothesis)) <= limit
            assert hypothesis.finished or len(hypothesis.ids) == limit
            assert not set(hypothesis.ids) & {0, 2, 3}
            cut += not hypothesis.finished
    assert cut > 0


@pytest.mark.parametrize("option", [option for option in OPTIONS if option not in TREE_SEARCHES | FORCED])
def test_narrowed_to_one_row_a_search_that_draws_nothing_is_greedy(option: str) -> None:
    toy = Trigrams()
    changes = {"temperature": 1e-9} if "temperature" in OPTIONS[option] else {}
    strategy = build_wide(option, 1, **changes)
    if option in RANKS_IN_PYTHON:
        strategy = build(option, candidates={"_target_": GREEDY, "_partial_": True})
    found = strategy.decode(**toy.arguments())
    assert outputs(found) == outputs(GreedySearch(**SPECIAL).decode(**toy.arguments()))


@pytest.mark.parametrize("option", sorted(TREE_SEARCHES))
def test_a_search_of_the_tree_gives_nothing_less_probable_than_what_it_starts_with(option: str) -> None:
    toy = Trigrams()
    greedy = GreedySearch(**SPECIAL).decode(**toy.arguments())
    for budget in (1, 4, 1000):
        found = build_wide(option, 1, start_size=1, budget=budget).decode(**toy.arguments())
        assert all(best.log_prob >= first.log_prob - 1e-9 for (best,), (first,) in zip(found, greedy, strict=True))


@pytest.mark.parametrize("option", [option for option, keys in OPTIONS.items() if "size" in keys])
def test_a_beam_as_wide_as_the_space_equals_brute_force(option: str) -> None:
    """Under the stopping rule that promises what searching to the limit gives."""
    toy, limit = Trigrams(vocab=6, batch=4), 4
    strategy = build(
        option, size=as_wide_as(option, 4**limit), num_hypotheses=5, max_length=limit, stopping="optimal_bound"
    )
    for sentence, found in enumerate(strategy.decode(**toy.arguments())):
        space = []
        for length in range(limit + 1):
            for ids in itertools.product((1, 4, 5), repeat=length):
                log_prob, _ = toy.rescore(sentence, ids if length == limit else (*ids, 3))
                score = strategy.length_penalty.score(
                    torch.tensor(log_prob, dtype=torch.float64), min(length + 1, limit)
                )
                space.append((float(score), ids, length < limit))
        best = sorted(space, reverse=True)[:5]
        assert outputs([found])[0] == [entry[1:] for entry in best]
        assert [hypothesis.score for hypothesis in found] == pytest.approx([entry[0] for entry in best], rel=1e-12)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option not in RANKS_IN_PYTHON | FORCED])
def test_under_a_constraint_that_forbids_log_probabilities_stay_the_models_own(option: str) -> None:
    toy, strategy = Trigrams(vocab=12), build_wide(option, 3, max_length=6)
    strategy.constraints = (NoRepeat(size=1),)
    for sentence, found in enumerate(strategy.decode(**toy.arguments())):
        for hypothesis in found:
            assert len(set(hypothesis.ids)) == len(hypothesis.ids)
            assert hypothesis.log_prob == pytest.approx(toy.rescore(sentence, symbols(hypothesis))[0], rel=1e-12)


pure_search = pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option not in RANKS_IN_PYTHON | TREE_SEARCHES]
)


def operations_and_calls(strategy: DecodingStrategy, batch: int, steps: int) -> tuple[int, int]:
    """Tensor operations, and calls of Python and C functions, of one search that nothing ends early."""
    toy = Trigrams(vocab=2000, batch=batch, dtype=torch.float32, ends=False)
    given = toy.arguments()
    targets = [target(sentence % 7 + 7 * steps)[: steps - 1] for sentence in range(batch)]
    targets = [(*ids, *(4,) * (steps - 1 - len(ids))) for ids in targets]
    task = Task(torch.full((batch,), steps), given["sentence_index"], weights=True, demands=Demands(targets=targets))

    def run() -> None:
        toy.calls.clear()
        strategy.search(given["step"], given["state"], given["memory"], task)
        assert len(toy.calls) == steps

    run()
    with torch.inference_mode(), Operations() as operations:
        run()
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # a collection's finalizers and callbacks are no work of the search
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
        gc.enable()
    return operations.count, calls


@pure_search
def test_the_work_done_in_python_grows_neither_with_the_batch_nor_with_the_width(option: str) -> None:
    counted = slice(1 if option in FORCED else 2)  # the targets come as tuples, so reading them takes calls, no steps
    small = operations_and_calls(build_wide(option, 3), 24, 5)[counted]
    assert operations_and_calls(build_wide(option, 3), 96, 5)[counted] == small
    assert operations_and_calls(build_wide(option, 6), 24, 5)[counted] == small


@pure_search
def test_each_further_step_costs_the_same_number_of_operations(option: str) -> None:
    counts = [operations_and_calls(build_wide(option, 3), 24, steps)[0] for steps in (4, 5, 6, 7)]
    assert len({after - before for before, after in itertools.pairwise(counts)}) == 1


@pytest.mark.parametrize("option", sorted(TREE_SEARCHES))
def test_the_work_of_a_step_of_a_tree_search_does_not_grow_with_the_batch(option: str) -> None:
    of_a_step = []
    for batch in (6, 60):
        toy, strategy = Trigrams(batch=batch), build(option, budget=50)
        with torch.inference_mode(), Operations() as operations:
            strategy.decode(**toy.arguments())
        of_a_step.append(operations.count / len(toy.calls))
        assert max(sentences for _, sentences in toy.calls) == batch
    assert of_a_step[1] < 1.2 * of_a_step[0]


@every_stepwise_option
def test_finished_sentences_leave_and_memory_is_never_repeated(option: str) -> None:
    one_search = (
        {"references": None} if "references" in OPTIONS[option] else {}
    )  # those of another one have their own law
    toy, strategy = Trigrams(), build_wide(option, 3, **one_search)
    needed = []
    for sentence in range(20):
        toy.calls.clear()
        strategy.decode(**toy.arguments([sentence]))
        needed.append(len(toy.calls))
    toy.calls.clear()
    strategy.decode(**toy.arguments())
    assert toy.calls[0] == (20, 20) and len(toy.calls) == max(needed)
    widths = {rows / sentences for rows, sentences in toy.calls[1:]}
    assert len(widths) <= 1 and max(widths, default=1) <= 3
    for step, (_, sentences) in enumerate(toy.calls):
        running = sum(steps > step for steps in needed)
        assert running <= sentences <= room_for(running)
    assert toy.calls[-1][1] < 20


@every_option
def test_when_sentences_leave_and_how_often_the_host_looks_change_nothing(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, strategy = Trigrams(), build_wide(option, 3)
    expected = strategy.decode(**toy.arguments())
    rooms = (lambda running: 10**9 if running else 0), (lambda running: running), room_for
    for room, look in zip(rooms, (1, 1, 4), strict=True):  # never leave, leave at once, look seldom as on a GPU
        monkeypatch.setattr(state, "room_for", room)
        for module in (rowwise, beam, diverse_beam, rescoring, stochastic_beam):
            monkeypatch.setattr(module, "look_due", lambda step, _, look=look: step % look == look - 1)
        decoded = strategy.decode(**toy.arguments())
        assert outputs(decoded) == outputs(expected)


@every_option
def test_the_signature_is_one_word_that_names_every_option(option: str) -> None:
    strategy = build(option)
    assert strategy.signature().startswith(f"{strategy.name}|") and not set(strategy.signature()) & set(" \t\n")
    others = {
        "stopping": "all_finished",
        "length_penalty": {"_target_": "s2s_lab.decoding.length_penalty.GNMT", "alpha": 0.3},
        "restriction": {"_target_": "s2s_lab.decoding.restrictions.top_k.TopK", "k": 3},
        **{key: {"_target_": GREEDY, "_partial_": True} for key in ("candidates", "further", "references")},
        "weights": "probability",
        "utility": Alike(bit=0.2),
    }
    for key, value in OPTIONS[option].items():
        if key.startswith("_"):
            continue
        if key in others:
            other = others[key]
        elif value is None:
            other = 2
        else:
            other = value / 2 if isinstance(value, float) else value + 1
        assert build(option, **{key: other}).signature() != strategy.signature(), key


@every_option
def test_a_state_without_any_tensor_and_a_row_count_of_one_are_fine(option: str) -> None:
    scores = torch.randn(1, 8)
    decoded = build(option, max_length=5).decode(
        step=lambda previous, state, memory: (scores.expand(len(previous), -1), state, None),
        state=(),
        memory=(scores,),
        source_lengths=torch.tensor([4]),
        sentence_index=torch.tensor([0]),
    )
    assert batch_size((scores,)) == len(decoded) == 1 and math.isfinite(decoded[0][0].log_prob)
