"""Outputs begin with their prefixes, within every limit, and go on as the model does after them."""

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.constraints.prefix import Prefix
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.decoding.task import Demands
from s2s_lab.faults import RequestError, RunError
from tests.decoding.brute_force import EOS, SPECIAL, TinyModel

PREFIXES = Demands(prefixes=((2, 3), (), (4, 4, 4)))


@pytest.mark.parametrize("strategy", [GreedySearch, BeamSearch, Sampling])
@pytest.mark.parametrize("order", [None, 1])
def test_the_rest_is_what_the_model_finds_after_the_prefix(strategy: type, order: int | None) -> None:
    model = TinyModel(limit=6, order=order)
    search = strategy(**SPECIAL, max_length=6, constraints=(Prefix(),))
    for sentence, (best,) in enumerate(search.decode(**model.arguments(), demands=PREFIXES)):
        assert PREFIXES.prefixes is not None
        prefix = PREFIXES.prefixes[sentence]
        assert best.ids[: len(prefix)] == prefix
        assert best.log_prob == pytest.approx(model.output(sentence, best.ids, best.finished).log_prob)
        if strategy is GreedySearch:
            ids = prefix
            while len(ids) < 6:
                scores = {each: model.output(sentence, (*ids, each), False).log_prob for each in (2, 3, 4)}
                scores[EOS] = model.output(sentence, ids, True).log_prob
                chosen = max(scores, key=scores.__getitem__)
                if chosen == EOS:
                    break
                ids = (*ids, chosen)
            assert best.ids == ids


def test_a_prefix_may_fill_the_limit_and_then_the_output_is_cut() -> None:
    model = TinyModel(limit=3)
    found = BeamSearch(**SPECIAL, max_length=3, constraints=(Prefix(),)).decode(**model.arguments(), demands=PREFIXES)
    assert (found[2][0].ids, found[2][0].finished) == ((4, 4, 4), False)


def test_a_prefix_may_be_the_whole_output_of_an_exact_length() -> None:
    search = BeamSearch(**SPECIAL, constraints=(Prefix(),))
    exact = torch.tensor([2, 0, 3])
    found = search.decode(**TinyModel().arguments(), demands=PREFIXES, exact_lengths=exact)
    assert [(best.ids, best.finished) for (best,) in found] == [((2, 3), True), ((), True), ((4, 4, 4), True)]


@pytest.mark.parametrize(("limit", "exact"), [(2, None), (9, [2, 1, 2])])
def test_a_prefix_longer_than_the_output_may_be_is_refused(limit: int, exact: list[int] | None) -> None:
    search = BeamSearch(**SPECIAL, max_length=limit, constraints=(Prefix(),))
    with pytest.raises(
        RequestError, match=r"^constraint\.prefix: the prefix of sentence 2 has 3 symbols, expected at m"
    ):
        search.decode(
            **TinyModel().arguments(), demands=PREFIXES, exact_lengths=None if exact is None else torch.tensor(exact)
        )


def test_without_prefixes_nothing_is_forced_and_without_the_constraint_they_are_refused() -> None:
    model = TinyModel()
    plain = BeamSearch(**SPECIAL, max_length=4)
    assert BeamSearch(**SPECIAL, max_length=4, constraints=(Prefix(),)).decode(**model.arguments()) == plain.decode(
        **model.arguments()
    )
    with pytest.raises(RequestError, match=r"^decoding=beam cannot meet prefixes, expected constraint=\[prefix\]$"):
        plain.decode(**model.arguments(), demands=PREFIXES)


def test_a_prefix_that_another_constraint_forbids_leaves_no_output() -> None:
    search = BeamSearch(**SPECIAL, max_length=4, constraints=(Prefix(), NoRepeat(size=1)))
    with pytest.raises(RunError, match=r"^decoding: sentence 2 got no hypothesis: every symbol was impossible"):
        search.decode(**TinyModel().arguments(), demands=PREFIXES)
