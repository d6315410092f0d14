"""The share of sentences whose reference is more probable than what was found."""

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.metrics.search_errors import MARGIN, SearchErrors


def test_a_search_erred_where_the_reference_is_more_probable_by_more_than_the_margin() -> None:
    found = [-1.0, -2.0, -3.0, -4.0]
    score = SearchErrors().score(found, [-1.0, -2.0 + MARGIN / 2, -2.0, -9.0])
    assert score.statistics[:, 0].tolist() == [0, 0, 1, 0]
    assert (score.value, score.higher_is_better) == (pytest.approx(0.25), False)
    assert aggregate_of("search_errors", score.signature).aggregate(score.statistics.sum(axis=0)) == score.value


def test_a_margin_is_part_of_the_signature_and_comes_back_from_it() -> None:
    wide = SearchErrors(margin=0.5)
    rebuilt = SearchErrors.from_signature("search_errors", wide.signature())
    assert rebuilt is not None and rebuilt.margin == 0.5 and wide.signature() != SearchErrors().signature()


@pytest.mark.parametrize(("found", "known"), [([], []), ([-1.0], [-1.0, -2.0]), ([-1.0, -2.0], [-1.0])])
def test_unequal_counts_and_nothing_at_all_are_refused(found: list[float], known: list[float]) -> None:
    with pytest.raises(RequestError, match="search_errors: log-probabilities of"):
        SearchErrors().score(found, known)
