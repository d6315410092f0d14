"""Drawing without replacement by perturbed log-probabilities: conditional maxima, inclusion, expectations."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Drawn(NamedTuple):
    """What the estimates need of a hypothesis drawn without replacement; its score is its perturbed log-probability.

    Attributes:
        log_prob: natural log of its probability in the distribution that was drawn from.
        threshold: the largest perturbed log-probability of all outputs that were not drawn, the same for all of a
            sentence (kappa in the paper); -inf when every output was drawn.
    """

    log_prob: float
    threshold: float


def condition_maximum(perturbed: Tensor, parents: Tensor) -> Tensor:
    """Moves the perturbed log-probabilities of a hypothesis' children so that their maximum is the hypothesis' own.

    With G of the hypothesis, G' of a child and Z the largest G', the child gets -log(exp(-G) - exp(-Z) + exp(-G')),
    computed as G - max(0, v) - log(1 + exp(-|v|)) with v = G - G' + log(1 - exp(G' - Z)).

    Paper: Kool, van Hoof, Welling 2019, arXiv 1903.06059, section 3 and, for the stable form, its appendix B.
    Deviation: none.

    Args:
        perturbed: (rows, children) float64, largest first, log-probability plus Gumbel noise; -inf where impossible.
        parents: (rows, 1) float64, perturbed log-probabilities of the hypotheses; -inf for a dead one.

    Returns:
        (rows, children), in the same order.
    """
    behind = perturbed - perturbed[:, :1]
    near = behind > -math.log(2.0)
    gap = torch.where(near, (-torch.expm1(behind)).log(), torch.log1p(-behind.exp()))
    shift = parents - perturbed + gap
    moved = parents - shift.clamp(min=0.0) - torch.log1p((-shift.abs()).exp())
    return moved.masked_fill((perturbed == -torch.inf) | (parents == -torch.inf), -torch.inf)


def inclusion_probabilities(log_probs: Tensor, threshold: Tensor) -> Tensor:
    """Gives the probability that a perturbed log-probability passes a threshold.

    Paper: Kool, van Hoof, Welling 2019, arXiv 1903.06059: q(kappa) = 1 - exp(-exp(log p - kappa)).
    Deviation: none.

    Args:
        log_probs: any shape, natural log.
        threshold: broadcastable to it; -inf lets everything pass.

    Returns:
        The same shape.
    """
    return -torch.expm1(-(log_probs - threshold).exp())


def importance_weights(log_probs: Tensor, threshold: Tensor) -> Tensor:
    """Gives p / q(kappa): how much each drawn output counts in an expectation.

    Args:
        log_probs: any shape, natural log, of the outputs in the distribution that was drawn from.
        threshold: broadcastable to it, the largest perturbed log-probability of the outputs not drawn.

    Returns:
        The same shape; the probabilities themselves where the threshold is -inf.
    """
    above = log_probs - threshold
    log_inclusion = inclusion_probabilities(log_probs, threshold).log()
    return (log_probs - torch.where(above < -40.0, above, log_inclusion)).exp()


def estimate(values: Tensor, log_probs: Tensor, threshold: Tensor, *, normalised: bool = False) -> Tensor:
    """Estimates the expectation of a function of the outputs from outputs drawn without replacement.

    The sum of p / q(kappa) x value over the drawn outputs is unbiased; divided by the sum of p / q(kappa) it is biased
    but varies less.

    Paper: Kool, van Hoof, Welling 2019, arXiv 1903.06059. Deviation: there kappa is read off a wider beam;
    here the search gives it beside all of its outputs.

    Args:
        values: (..., outputs), the function's values of the drawn outputs.
        log_probs: (..., outputs), natural log, of the outputs in the distribution that was drawn from.
        threshold: (...), the largest perturbed log-probability of the outputs not drawn.
        normalised: whether to divide by the sum of the weights.

    Returns:
        (...).
    """
    weights = importance_weights(log_probs, threshold.unsqueeze(-1))
    total = (weights * values).sum(-1)
    return total / weights.sum(-1) if normalised else total
