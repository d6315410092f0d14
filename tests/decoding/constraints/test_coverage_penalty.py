"""The changes of the coverage penalty add up to it; attention is needed, one weight for each source symbol."""

import math
from typing import Any

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constraints.coverage_penalty import LEAST, CoveragePenalty
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.length_penalty import GNMT
from s2s_lab.decoding.task import Task
from s2s_lab.faults import RequestError
from tests.decoding.brute_force import SPECIAL, TinyModel

LENGTHS = torch.tensor([3, 2])
TASK = Task(torch.tensor([9, 9]), torch.tensor([0, 1]), source_lengths=LENGTHS)


@pytest.mark.parametrize("alpha", [None, 0.7])
def test_the_changes_add_up_to_what_the_score_says_after_its_length_penalty(alpha: float | None) -> None:
    """With padding, with a source symbol that nothing looks at, and with one that gets more than 1."""
    penalty = CoveragePenalty(beta=0.5)
    divisor = (lambda length: 1.0) if alpha is None else GNMT(alpha=alpha).divisor
    scaled = penalty.scored_with(divisor)
    weights = torch.tensor(
        [[[0.9, 0.1, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]], [[0.7, 0.3, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0]]],
        dtype=torch.float64,
    )
    state, total = scaled.start(TASK), torch.zeros(2, 5, dtype=torch.float64)
    for step, given in enumerate(weights):
        state = scaled.advance(state, torch.tensor([0, 0]), given)
        scaled.adjust(total, state, step)
        for row, length in enumerate(LENGTHS.tolist()):
            sums = weights[: step + 1, row, :length].sum(0).tolist()
            expected = 0.5 * sum(math.log(min(max(each, LEAST), 1.0)) for each in sums)
            assert (total[row] / divisor(step + 1)).tolist() == pytest.approx([expected] * 5, abs=1e-9)


def test_a_greedy_choice_stays_and_only_its_score_tells() -> None:
    model = TinyModel(batch=6, ends=1.0)
    options = {**SPECIAL, "max_length": 4}
    plain = GreedySearch(**options).decode(**model.arguments())
    covered = GreedySearch(**options, constraints=(CoveragePenalty(beta=1.0),)).decode(**model.arguments())
    for (one,), (other,) in zip(plain, covered, strict=True):
        assert (one.ids, one.finished) == (other.ids, other.finished)
        assert one.log_prob == pytest.approx(other.log_prob) and other.score < one.score


def silent(model: TinyModel, weights: Any) -> dict[str, Any]:
    """The model's arguments with other weights: none, or of other places."""
    given = model.arguments()

    def step(previous: torch.Tensor, state: Any, memory: Any) -> tuple[torch.Tensor, Any, Any]:
        scores, state, full = model.step(previous, state, memory)
        return scores, state, None if weights is None else full[:, :weights]

    return given | {"step": step}


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, r"^constraint\.coverage_penalty: the model gives no attention, expected a model with one$"),
        (3, r"^constraint\.coverage_penalty: the model attends to 3 places of a source of 4 symbols, expected one for"),
    ],
)
def test_a_model_without_fitting_attention_is_refused_in_one_line(weights: int | None, expected: str) -> None:
    search = BeamSearch(**SPECIAL, max_length=4, constraints=(CoveragePenalty(),))
    with pytest.raises(RequestError, match=expected):
        search.decode(**silent(TinyModel(), weights))


@pytest.mark.parametrize("beta", [-0.1, "1", True, float("nan")])
def test_a_negative_weight_is_refused(beta: object) -> None:
    with pytest.raises(
        RequestError, match=r"^constraint\.coverage_penalty\.beta is .*, expected a number of at least 0"
    ):
        CoveragePenalty(beta=beta)  # type: ignore[arg-type]
