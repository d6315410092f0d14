"""No output is shorter than its source asks for, unless its limit or its given length says so."""

import math

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constraints.min_length_ratio import MinLengthRatio
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.faults import RequestError
from tests.decoding.brute_force import EOS, SPECIAL, TinyModel


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.3])
@pytest.mark.parametrize("strategy", [GreedySearch, BeamSearch])
def test_a_model_that_wants_to_end_at_once_ends_as_soon_as_it_may(strategy: type, ratio: float) -> None:
    model = TinyModel(limit=6, batch=6, ends=50.0)
    search = strategy(**SPECIAL, max_length=6, constraints=(MinLengthRatio(eos=EOS, ratio=ratio),))
    for sentence, (best,) in enumerate(search.decode(**model.arguments())):
        assert best.finished
        assert len(best.ids) + 1 == math.ceil(ratio * int(model.source_lengths[sentence]))


def test_a_limit_below_the_minimum_cuts() -> None:
    model = TinyModel(limit=3, batch=3, ends=50.0)  # sources of 2, 3 and 4 symbols
    search = BeamSearch(**SPECIAL, max_length=3, constraints=(MinLengthRatio(eos=EOS, ratio=1.0),))
    found = [(len(best.ids), best.finished) for (best,) in search.decode(**model.arguments())]
    assert found == [(1, True), (2, True), (3, False)]


def test_a_given_length_holds_alone() -> None:
    model = TinyModel(limit=4, batch=3)
    search = BeamSearch(**SPECIAL, constraints=(MinLengthRatio(eos=EOS, ratio=5.0),))
    exact = torch.tensor([0, 1, 2])
    assert [len(best.ids) for (best,) in search.decode(**model.arguments(), exact_lengths=exact)] == exact.tolist()


@pytest.mark.parametrize("ratio", [0, -1.0, "1", True, float("inf")])
def test_a_ratio_that_is_no_positive_number_is_refused(ratio: object) -> None:
    with pytest.raises(RequestError, match=r"^constraint\.min_length_ratio\.ratio is .*, expected a number above 0"):
        MinLengthRatio(eos=EOS, ratio=ratio)  # type: ignore[arg-type]
