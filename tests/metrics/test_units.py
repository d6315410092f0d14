"""How lines are divided into units."""

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.units import check_unit, divide


def test_words_are_what_white_space_separates():
    assert divide(" I_WALK\tI_RUN \n") == ["I_WALK", "I_RUN"]
    assert divide("") == []


def test_characters_keep_single_spaces_between_words():
    assert divide(" ab  C ", unit="character", lowercase=True) == ["a", "b", " ", "c"]


def test_an_unknown_unit_is_refused():
    with pytest.raises(RequestError, match="unit is 'phone'"):
        check_unit("phone", name="metric")
