"""The coverage loss of See et al. equals its definition, and is a part of the objective with a name."""

import numpy as np
import pytest
import torch

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.job import check_parts
from s2s_lab.assemble.network import build_network
from s2s_lab.data.collate import collate
from s2s_lab.faults import RequestError
from s2s_lab.training.objectives.coverage import CoverageLoss
from s2s_lab.training.objectives.cross_entropy import CrossEntropy

SIZE = 11
PAIRS = [([4, 5, 6, 7, 3], [5, 4, 3]), ([8, 3], [4, 9, 9, 6, 3]), ([5, 5, 3], [10, 3])]


def network(attention: str) -> torch.nn.Module:
    words = [f"attention={attention}", "encoder.hidden_size=6", "decoder.hidden_size=6", "embedding.embedding_size=5"]
    settings = plain(compose_jobs("train", words, multirun=False, folder=None)[0])
    return build_network(settings, source_size=SIZE, target_size=SIZE, shared=False).double()


def batch(rows: range = range(len(PAIRS))):
    return collate([np.array(PAIRS[row][0]) for row in rows], [np.array(PAIRS[row][1]) for row in rows], list(rows))


@pytest.mark.parametrize("attention", ["coverage", "general"])
@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_it_is_the_cross_entropy_and_the_overlap_with_what_was_attended_to(attention: str, weight: float) -> None:
    built, given = network(attention), batch()
    expected = 0.0
    _, weights = built(given.sources, given.inputs)
    for row, (source, target) in enumerate(PAIRS):
        for step in range(len(target)):
            for place in range(len(source)):
                covered = sum(weights[row, before, place].item() for before in range(step))
                expected += min(weights[row, step, place].item(), covered)
    found, alone = CoverageLoss(weight=weight)(built, given), CrossEntropy()(built, given)
    assert found.parts["coverage"].item() == pytest.approx(expected) and not found.parts["coverage"].requires_grad
    assert found.total.item() == pytest.approx(alone.total.item() + weight * expected)
    assert found.negative_log_likelihood.item() == pytest.approx(alone.negative_log_likelihood.item())
    assert found.tokens == alone.tokens and alone.parts == {}


def test_padding_and_other_rows_change_nothing() -> None:
    built = network("coverage")
    together = CoverageLoss()(built, batch())
    alone = [CoverageLoss()(built, batch(range(row, row + 1))) for row in range(len(PAIRS))]
    torch.testing.assert_close(together.total, sum(loss.total for loss in alone))
    torch.testing.assert_close(together.parts["coverage"], sum(loss.parts["coverage"] for loss in alone))


def test_a_descent_spreads_the_attention() -> None:
    torch.manual_seed(1)
    built, given = network("coverage"), batch()
    objective, optimizer = CoverageLoss(weight=1.0), torch.optim.Adam(built.parameters(), lr=0.02)
    overlaps = []
    for _ in range(25):
        loss = objective(built, given)
        overlaps.append(loss.parts["coverage"].item())
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert overlaps[-1] < 0.9 * overlaps[0]


def test_an_attention_without_weights_is_refused_before_anything_is_read() -> None:
    words = ["objective=coverage", "model=gru"]
    with pytest.raises(RequestError, match="objective=coverage needs an attention with weights"):
        check_parts(compose_jobs("train", words, multirun=False, folder=None)[0])


@pytest.mark.parametrize("options", [{"weight": -1.0}, {"label_smoothing": 1.0}])
def test_impossible_values_are_refused(options: dict) -> None:
    with pytest.raises(RequestError, match=f"objective.{next(iter(options))}="):
        CoverageLoss(**options)
