"""The contract's own part: limits, options out of range, signatures, and faults of the step."""

import math
from fractions import Fraction
from typing import Any

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.faults import RequestError, RunError


def test_the_limit_is_the_lower_of_absolute_and_relative_and_at_least_one(special_ids: dict[str, Any]) -> None:
    lengths = torch.tensor([1, 3, 9, 100])

    def limits(**options: Any) -> list[int]:
        return GreedySearch(**special_ids, **options).limits(lengths).tolist()

    assert limits(max_length=20, max_length_ratio=1.5, max_length_constant=2) == [4, 7, 16, 20]
    assert limits(max_length=20, max_length_ratio=None) == [20] * 4
    assert limits(max_length=20, max_length_ratio=0.1, max_length_constant=0) == [1, 1, 1, 10]


@pytest.mark.parametrize("ratio", ["0.55", "1.1", "1.2", "2.3", "3"])
def test_whole_products_of_ratio_and_length_are_not_rounded_up(ratio: str, special_ids: dict[str, Any]) -> None:
    lengths = list(range(1, 500))
    search = GreedySearch(**special_ids, max_length=9999, max_length_ratio=float(ratio), max_length_constant=0)
    assert search.limits(torch.tensor(lengths)).tolist() == [math.ceil(Fraction(ratio) * each) for each in lengths]


WRONG = [
    (BeamSearch, {"size": 0}, "size is 0, expected a whole number of at least 1"),
    (BeamSearch, {"size": 2.0}, "size is 2.0, expected a whole number"),
    (BeamSearch, {"size": 2, "num_hypotheses": 3}, "num_hypotheses is 3, expected at most decoding.size (2)"),
    (BeamSearch, {"num_hypotheses": 0}, "num_hypotheses is 0, expected a whole number of at least 1"),
    (
        BeamSearch,
        {"stopping": "soon"},
        "stopping is 'soon', expected one of outscored, first_finished, all_finished, opt",
    ),
    (BeamSearch, {"length_penalty": "gnmt"}, "length_penalty is 'gnmt', expected a LengthPenalty, such as NoPenalty"),
    (Sampling, {"temperature": -1.0}, "temperature is -1.0, expected a number above 0"),
    (Sampling, {"temperature": 0}, "temperature is 0, expected a number above 0"),
    (Sampling, {"top_p": 0.0}, "top_p is 0.0, expected a number above 0 and at most 1"),
    (Sampling, {"top_p": 1.2}, "top_p is 1.2, expected a number above 0 and at most 1"),
    (Sampling, {"top_k": 0}, "top_k is 0, expected a whole number of at least 1"),
    (Sampling, {"num_samples": True}, "num_samples is True, expected a whole number of at least 1"),
    (Sampling, {"seed": -1}, "seed is -1, expected a whole number of at least 0"),
    (GreedySearch, {"max_length": 0}, "max_length is 0, expected a whole number of at least 1"),
    (GreedySearch, {"max_length_ratio": 0.0}, "max_length_ratio is 0.0, expected a number above 0"),
    (GreedySearch, {"max_length_constant": -1}, "max_length_constant is -1, expected a whole number of at least 0"),
    (GreedySearch, {"min_length": "2"}, "min_length is '2', expected a whole number of at least 0"),
    (GreedySearch, {"min_length": 9, "max_length": 9}, "min_length is 9, expected less than decoding.max_length (9)"),
    (GreedySearch, {"banned": (0, 3)}, "banned holds 3, the id of eos, expected other ids"),
]


@pytest.mark.parametrize(("strategy", "options", "message"), WRONG)
def test_an_option_out_of_range_is_refused_in_one_line(
    strategy: type, options: dict[str, Any], message: str, special_ids: dict[str, Any]
) -> None:
    with pytest.raises(RequestError) as caught:
        strategy(**(special_ids | options))
    assert str(caught.value).startswith(f"decoding.{message}") and "\n" not in str(caught.value)


STRATEGIES = [GreedySearch, BeamSearch, Sampling]


def arguments(scores: torch.Tensor) -> dict[str, Any]:
    """A step that gives each sentence the same scores at every step, whatever was chosen."""

    def step(previous: torch.Tensor, state: Any, memory: torch.Tensor) -> tuple[torch.Tensor, Any, None]:
        return memory.repeat_interleave(len(previous) // len(memory), 0), state, None

    batch = len(scores)
    return {
        "step": step,
        "state": (),
        "memory": scores,
        "source_lengths": torch.full((batch,), 3),
        "sentence_index": torch.arange(batch) + 40,
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_empty_batch_has_no_hypotheses_and_no_step(strategy: type, special_ids: dict[str, Any]) -> None:
    given = arguments(torch.zeros(0, 5)) | {"step": None}
    assert strategy(**special_ids).decode(**given) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_scores_that_are_no_numbers_name_the_sentence(strategy: type, special_ids: dict[str, Any]) -> None:
    scores = torch.zeros(2, 5)
    scores[1, 4] = torch.nan
    with pytest.raises(RunError, match="sentence 41 got"):
        strategy(**special_ids).decode(**arguments(scores))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_only_banned_symbols_are_possible_there_is_no_hypothesis(
    strategy: type, special_ids: dict[str, Any]
) -> None:
    scores = torch.full((1, 5), -torch.inf)
    scores[0, 0] = 0.0
    with pytest.raises(RunError, match="sentence 40 got"):
        strategy(**special_ids, max_length=3).decode(**arguments(scores))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_impossible_symbol_is_never_chosen(strategy: type, special_ids: dict[str, Any]) -> None:
    scores = torch.full((1, 7), -torch.inf)
    scores[0, [1, 3, 5]] = torch.tensor([0.0, -1.0, 0.5])
    for hypothesis in strategy(**special_ids, max_length=4).decode(**arguments(scores))[0]:
        assert set(hypothesis.ids) <= {1, 5} and hypothesis.log_prob > -40


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_network_without_attention_gives_hypotheses_without_weights(
    strategy: type, special_ids: dict[str, Any]
) -> None:
    decoded = strategy(**special_ids).decode(**arguments(torch.randn(2, 7)), return_weights=True)
    assert all(hypothesis.weights is None for sentence in decoded for hypothesis in sentence)
