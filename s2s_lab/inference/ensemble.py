"""Several networks that decode as one."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from s2s_lab.faults import RequestError
from s2s_lab.inference.view import Network, log_probs, with_rest_on_padding
from s2s_lab.models.seq2seq import Sources

MEANS = ("probabilities", "log_probabilities")


def check_weights(given: Sequence[Any], members: int) -> None:
    """Check that there is a weight for each member.

    Raises:
        RequestError: there is no member, or the weights do not fit.
    """
    numbers = all(isinstance(each, int | float) and 0 <= each < float("inf") for each in given)
    if not members or len(given) != members or not numbers or not sum(given) > 0:
        raise RequestError(
            f"together_weights is {list(given)} for {members} members, expected a number of at least 0 for each, "
            "one of them above 0"
        )


class Ensemble:
    """A view of networks with the same vocabularies whose step gives the weighted mean of theirs.

    Memory and state are tuples of the members'. Attention weights are the weighted mean of the members' that have any.
    With `probabilities` a symbol's probability is the mean of the members' (linear pool). With `log_probabilities` its
    log-probability is the mean of theirs, so that a hypothesis' is the mean of those that the members give to it; these
    do not sum to 1 (what is missing goes to padding, which is never chosen).

    Paper: Sutskever et al. 2014, arXiv 1409.3215 (ensembles, without saying which mean).

    Args:
        members: in eval mode, on one device; may be of any architectures.
        weights: one for each member, at least 0, not all 0; normalised to sum to 1. Equal if None.
        mean: "probabilities" or "log_probabilities".

    Raises:
        RequestError: there is no member, or the weights do not fit.
    """

    def __init__(
        self,
        members: Sequence[Network],
        *,
        weights: Sequence[float] | None = None,
        mean: Literal["probabilities", "log_probabilities"] = "probabilities",
    ) -> None:
        given = [1.0] * len(members) if weights is None else list(weights)
        check_weights(given, len(members))
        if mean not in MEANS:
            raise RequestError(f"together_mean is {mean!r}, expected one of {', '.join(MEANS)}")
        total = sum(given)
        pairs = [(member, weight / total) for member, weight in zip(members, given, strict=True) if weight > 0]
        self.members = tuple(member for member, _ in pairs)  # one without weight has no say
        self.weights = tuple(weight for _, weight in pairs)
        self.mean = mean

    def start(self, sources: Sources) -> tuple[Any, Any]:
        """Read the sources with every member; see Network."""
        memories, states = zip(*(member.start(sources) for member in self.members), strict=True)
        return memories, states

    def step(self, previous_ids: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
        """Make one step with every member; see Network."""
        made = [
            member.step(previous_ids, own, its) for member, own, its in zip(self.members, state, memory, strict=True)
        ]
        following = tuple(each[1] for each in made)
        if len(made) == 1:
            return made[0][0], following, made[0][2]
        found = [log_probs(each[0]) for each in made]
        if self.mean == "probabilities":
            for each, weight in zip(found, self.weights, strict=True):
                each += math.log(weight)
            scores = found[0]
            for each in found[1:]:
                scores = torch.logaddexp(scores, each)
        else:
            scores = found[0] * self.weights[0]
            for each, weight in zip(found[1:], self.weights[1:], strict=True):
                scores.add_(each, alpha=weight)
            scores = with_rest_on_padding(scores)
        return scores, following, self._attention([each[2] for each in made])

    def _attention(self, shown: Sequence[Tensor | None]) -> Tensor | None:
        """Average the members' attention weights; None where none has any."""
        pairs = [(each, weight) for each, weight in zip(shown, self.weights, strict=True) if each is not None]
        if not pairs:
            return None
        total = sum(weight for _, weight in pairs)
        return torch.stack([each * (weight / total) for each, weight in pairs]).sum(0)
