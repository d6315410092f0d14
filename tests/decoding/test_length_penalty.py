"""Length penalties: their formulas, and a bound that no continuation passes."""

import pytest
import torch

from s2s_lab.decoding.length_penalty import GNMT, Average, LengthPenalty, NoPenalty, WordReward
from s2s_lab.faults import RequestError

LOG_PROBS = torch.tensor([-6.0, -0.5], dtype=torch.float64)
REWARDS = [WordReward(reward=0.5), WordReward(reward=0)]
PENALTIES = [NoPenalty(), Average(), GNMT(alpha=0.6), GNMT(alpha=0), GNMT(alpha=2), *REWARDS]


@pytest.mark.parametrize(
    ("penalty", "divisor"),
    [(NoPenalty(), 1.0), (Average(), 7.0), (GNMT(alpha=1), 2.0), (GNMT(alpha=0.5), 2.0**0.5), (GNMT(alpha=0), 1.0)],
)
@pytest.mark.parametrize("length", [7, torch.tensor([7, 7])])
def test_the_score_is_the_published_formula(penalty: LengthPenalty, divisor: float, length: int | torch.Tensor) -> None:
    torch.testing.assert_close(penalty.score(LOG_PROBS, length), LOG_PROBS / divisor)


@pytest.mark.parametrize("length", [7, torch.tensor([7, 7])])
def test_a_word_reward_is_added_for_each_symbol(length: int | torch.Tensor) -> None:
    torch.testing.assert_close(WordReward(reward=0.5).score(LOG_PROBS, length), LOG_PROBS + 3.5)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.name)
def test_no_continuation_passes_the_bound(penalty: LengthPenalty) -> None:
    bound = penalty.bound(LOG_PROBS, 12)
    for length in range(1, 13):
        for lost in (0.0, 0.3):
            assert bool((penalty.score(LOG_PROBS - lost, length) <= bound).all())


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.name)
def test_an_impossible_hypothesis_stays_impossible(penalty: LengthPenalty) -> None:
    assert penalty.score(torch.tensor(-torch.inf), 3).item() == -torch.inf


@pytest.mark.parametrize("alpha", [-0.1, float("nan"), float("inf"), "much", True])
def test_a_bad_alpha_is_refused_in_one_line(alpha: object) -> None:
    with pytest.raises(RequestError, match=r"^decoding\.length_penalty\.alpha is .*expected a number of at least 0$"):
        GNMT(alpha=alpha)  # type: ignore[arg-type]


@pytest.mark.parametrize("reward", [-0.1, float("nan"), float("inf"), "much", True])
def test_a_bad_reward_is_refused_in_one_line(reward: object) -> None:
    with pytest.raises(RequestError, match=r"^decoding\.length_penalty\.reward is .*expected a number of at least 0$"):
        WordReward(reward=reward)  # type: ignore[arg-type]
