"""Length penalties: from a hypothesis' log-probability and length to the score that ranks it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from s2s_lab.decoding.checks import at_least


class LengthPenalty(ABC):
    """Turns a log-probability (at most 0) into a score; a score never falls when only the length grows.

    Attributes:
        name: how the penalty is called in signatures.
    """

    name: str

    @abstractmethod
    def score(self, log_prob: Tensor, length: Tensor | int) -> Tensor:
        """Scores hypotheses.

        Args:
            log_prob: any shape, summed natural log-probabilities, eos included when finished.
            length: broadcastable to `log_prob`, symbols that were added up, eos included when finished.

        Returns:
            The scores in the shape of `log_prob`; higher is better.
        """

    def divisor(self, length: int) -> float:
        """Gives what a sum of this length is divided by, apart from what is added; 1 where nothing is.

        Args:
            length: in symbols, at least 1.
        """
        return 1.0

    def bound(self, log_prob: Tensor, max_length: Tensor | int) -> Tensor:
        """Gives the highest score that any continuation can still reach.

        A continuation has at most this log-probability and at most the maximum length; as scores never fall
        when only the length grows, the bound is the score of this log-probability at the maximum length.

        Args:
            log_prob: any shape, of the unfinished hypotheses.
            max_length: broadcastable to `log_prob`, in symbols.

        Returns:
            The bounds in the shape of `log_prob`.
        """
        return self.score(log_prob, max_length)


class NoPenalty(LengthPenalty):
    """The score is the log-probability itself."""

    name = "none"

    def score(self, log_prob: Tensor, length: Tensor | int) -> Tensor:
        """Returns `log_prob` unchanged; see the base class for shapes."""
        return log_prob


class Average(LengthPenalty):
    """The score is the mean log-probability of a symbol.

    Paper: Cho, van Merriënboer, Bahdanau, Bengio 2014, arXiv 1409.1259 (scores divided by length).
    """

    name = "average"

    def score(self, log_prob: Tensor, length: Tensor | int) -> Tensor:
        """Returns `log_prob / length`; see the base class for shapes."""
        return log_prob / length

    def divisor(self, length: int) -> float:
        """Returns the length; see the base class."""
        return float(length)


class WordReward(LengthPenalty):
    """The score is the log-probability plus `reward` for each symbol: the word penalty of statistical translation.

    Paper: He, He, Wu, Wang 2016, "Improved Neural Machine Translation with SMT Features", AAAI. Deviation:
    the weight is given, not tuned.

    Args:
        reward: natural log units a symbol, eos included; 0 is no penalty; at least 0.

    Raises:
        RequestError: reward is negative or no number.
    """

    def __init__(self, *, reward: float = 1.0) -> None:
        self.reward = at_least("reward", reward, 0, place="decoding.length_penalty")
        self.name = f"word_reward:{reward:g}"

    def score(self, log_prob: Tensor, length: Tensor | int) -> Tensor:
        """Returns `log_prob + reward x length`; see the base class for shapes."""
        return log_prob + self.reward * torch.as_tensor(length, dtype=log_prob.dtype, device=log_prob.device)


class GNMT(LengthPenalty):
    """The score is the log-probability divided by ((5 + length) / 6) ** alpha.

    Paper: Wu et al. 2016, arXiv 1609.08144, equation 14, without its coverage term. Deviation: none.

    Args:
        alpha: 0 is no penalty; at least 0.

    Raises:
        RequestError: alpha is negative or no number.
    """

    def __init__(self, *, alpha: float = 0.6) -> None:
        self.alpha = at_least("alpha", alpha, 0, place="decoding.length_penalty")
        self.name = f"gnmt:{alpha:g}"

    def score(self, log_prob: Tensor, length: Tensor | int) -> Tensor:
        """Returns `log_prob / ((5 + length) / 6) ** alpha`; see the base class for shapes."""
        length = torch.as_tensor(length, dtype=log_prob.dtype, device=log_prob.device)
        return log_prob / ((5.0 + length) / 6.0) ** self.alpha

    def divisor(self, length: int) -> float:
        """Returns ((5 + length) / 6) ** alpha; see the base class."""
        return ((5.0 + length) / 6.0) ** self.alpha
