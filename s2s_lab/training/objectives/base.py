"""What an objective is: from a network and a batch to a loss and named parts to log."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import nn

from s2s_lab.data.batch import Batch
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.training.teacher_forcing import Coin


class Loss(NamedTuple):
    """A loss summed over the real target tokens of the rows at hand.

    Attributes:
        total: scalar, what is differentiated, natural log.
        negative_log_likelihood: scalar, detached, without smoothing.
        tokens: number of real target tokens, eos included.
        correct: number of tokens whose reference is the most probable, or None where it is not counted.
        parts: what else is worth a curve of its own, by name: scalars, detached, summed as `total` is.
    """

    total: torch.Tensor
    negative_log_likelihood: torch.Tensor
    tokens: int
    correct: torch.Tensor | None = None
    parts: Mapping[str, torch.Tensor] = MappingProxyType({})


class Objective(nn.Module, ABC):
    """A loss over a network and a batch."""

    @abstractmethod
    def forward(self, network: Seq2Seq, batch: Batch, *, teacher_forcing: float = 1.0, coin: Coin = "token") -> Loss:
        """Computes the loss.

        Args:
            network: in train or eval mode.
            batch: its rows may be none.
            teacher_forcing: probability of feeding the reference.
            coin: what a coin is thrown for: each token, or each whole sequence.
        """

    def check(self, network: Seq2Seq) -> None:
        """Refuse, before a training starts, a network that lacks what the loss is made of.

        Raises:
            RequestError: it does.
        """


def teacher_forced(
    network: Seq2Seq, batch: Batch, teacher_forcing: float, coin: Coin
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Give features and attention's weights of all target positions; see Seq2Seq's forward.

    Args:
        network: in train or eval mode.
        batch: its rows may be none.
        teacher_forcing: probability of feeding the reference.
        coin: what a coin is thrown for.
    """
    if teacher_forcing < 1.0:
        forward = network.forward_sampled if coin == "token" else network.forward_sampled_sequences
        return forward(batch.sources, batch.inputs, teacher_forcing)
    return network(batch.sources, batch.inputs)
