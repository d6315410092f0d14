"""The contract of an output: from features to scores over the vocabulary, and their loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.encoders.base import EncoderOutput

PreparedSource = tuple[Any, ...]


class Output(nn.Module, ABC):
    """What turns features into a distribution over the vocabulary.

    An output that looks at the source prepares it once, and reads what it needs of it, and of the attention's weights,
    into the features of each position; every other method takes features as `read` gives them.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.

    Attributes:
        reads_source: whether `read` adds something to the features.
        reads_weights: whether it needs the attention's weights for that.
        reads_memory: whether it needs a memory entry for each source position for that.
        copies_unknown: whether source ids may lie beyond the source's vocabulary in eval mode, each for an unknown word
            that can be copied; then `prepare` gives the field `words` (batch, unknown words of the batch), their ids
            less the vocabulary's size, and as many scores follow those of the target's vocabulary.
        learned: what the output's tables are made of: "lexicon", translations with their probabilities, or "matches",
            the target id of the same token; the tables are buffers that `fill` writes before training.
    """

    reads_source = False
    reads_weights = False
    reads_memory = False
    copies_unknown = False
    learned: tuple[str, ...] = ()

    def __init__(self, *, feature_size: int, vocabulary_size: int) -> None:
        super().__init__()
        self.feature_size = feature_size
        self.vocabulary_size = vocabulary_size

    def known(self, ids: Tensor, *, source: bool = False) -> Tensor:
        """Give ids of target or source as the embedding takes them: unk for those beyond the vocabulary."""
        return ids

    def prepare(self, source: Tensor, encoded: EncoderOutput) -> PreparedSource:
        """Do once for each source what no step changes.

        Args:
            source: (batch, source_len) ids.
            encoded: what the encoder made of it.

        Returns:
            A nested tuple of tensors, sentences first.
        """
        return ()

    def read(self, features: Tensor, weights: Tensor | None, prepared: PreparedSource) -> Tensor:
        """Add to the decoder's features what the scores need of source and attention.

        Args:
            features: (batch, positions, feature_size); positions of one target, or hypotheses of one step.
            weights: (batch, positions, source_len), or None.
            prepared: what `prepare` gave.

        Returns:
            (batch, positions, feature_size and what was added).
        """
        return features

    def fill(self, **tables: Tensor) -> None:
        """Take the tables that were made from the training pairs: buffers by name, of the same shapes."""
        for name, table in tables.items():
            self.get_buffer(name).copy_(table)

    def fault(self) -> str | None:
        """Say what is wrong with the tables, as read from a file; None if nothing is."""
        return None

    @abstractmethod
    def scores(self, features: Tensor) -> Tensor:
        """Give unnormalised scores (logits) or log-probabilities, in the products' type.

        Args:
            features: (..., feature_size).

        Returns:
            (..., vocab).
        """

    @abstractmethod
    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the cross-entropy, summed over tokens, in nats.

        Args:
            features: (tokens, feature_size), of real positions alone.
            targets: (tokens,), the right ids.
            label_smoothing: share of the target distribution spread evenly over the vocabulary.

        Returns:
            Two scalars: the loss against the smoothed targets, to be minimised, and the negative log-likelihood of
            the targets, which carries no gradient.
        """

    def scores_among(self, ids: Tensor) -> Callable[[Tensor], Tensor]:
        """Give a function that gives the scores of some ids alone; a variant may spare it the others.

        Args:
            ids: (candidates,) int64.

        Returns:
            From features (..., feature_size) to (..., candidates), the columns `ids` of `scores`.
        """
        return lambda features: self.scores(features).index_select(-1, ids)

    def log_probs(self, features: Tensor) -> Tensor:
        """Give log-probabilities (natural log) (..., vocab) of features (..., feature_size), in float32 at least."""
        scores = self.scores(features)
        return torch.log_softmax(scores, dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32))


def cross_entropy(scores: Tensor, targets: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """Give the cross-entropy of scores (tokens, vocab) that exist anyway; see `Output.loss`."""
    log_probs = torch.log_softmax(scores, dim=1, dtype=torch.promote_types(scores.dtype, torch.float32))
    nll = functional.nll_loss(log_probs, targets, reduction="sum")
    if not label_smoothing:
        return nll, nll.detach()
    uniform = -log_probs.mean(dim=1).sum()
    return (1.0 - label_smoothing) * nll + label_smoothing * uniform, nll.detach()


def log_mixture(log_probs: Tensor, probabilities: Tensor, logit: Tensor) -> Tensor:
    """Give log((1 - g) p + g q), g being sigmoid(logit); exact and with finite gradients where q is 0.

    Args:
        log_probs: (..., vocab), log p.
        probabilities: (..., vocab), q.
        logit: broadcasts with them.
    """
    others = safe_log(probabilities) + functional.logsigmoid(logit)
    return torch.logaddexp(log_probs + functional.logsigmoid(-logit), others)


def safe_log(values: Tensor) -> Tensor:
    """Give the logarithm, -inf at 0 without a gradient there."""
    positive = values > 0
    return torch.where(positive, values, 1.0).log().masked_fill(~positive, float("-inf"))


def sum_by_id(shares: Tensor, ids: Tensor, size: int) -> Tensor:
    """Sum shares that belong to the same id.

    Args:
        shares: (batch, positions, entries).
        ids: (batch, entries) int64, below `size`.
        size: number of ids.

    Returns:
        (batch, positions, size).
    """
    index = ids.unsqueeze(1).expand_as(shares)
    return shares.new_zeros((*shares.shape[:2], size)).scatter_add(2, index, shares)


def id_fault(name: str, table: Tensor, size: int) -> str | None:
    """Say whether a table holds ids outside 0 to `size` - 1."""
    if table.numel() == 0 or (0 <= int(table.min()) and int(table.max()) < size):
        return None
    return f"{name} holds ids from {int(table.min())} to {int(table.max())}, expected 0 to {size - 1}"


def check_positions(output: str, tokens: int, entries: int) -> None:
    """Look that there is one memory entry, or weight, for each source token.

    Args:
        output: name of the option, for the message.
        tokens: source tokens, padding included.
        entries: memory entries, or weights.

    Raises:
        RequestError: there are fewer or more.
    """
    if entries != tokens:
        raise RequestError(
            f"output={output} needs one memory entry for each source token, but the encoder made {entries} of "
            f"{tokens}; take an encoder that keeps every position"
        )


def linear_among(weight: Tensor, bias: Tensor | None, ids: Tensor) -> Callable[[Tensor], Tensor]:
    """Give a function that multiplies by some rows of a weight alone.

    Args:
        weight: (vocab, feature_size); its rows are taken by `index_select`, once.
        bias: (vocab,) or None.
        ids: (candidates,) int64, rows.

    Returns:
        From features (..., feature_size) to (..., candidates).
    """
    rows = weight.index_select(0, ids)
    of_rows = None if bias is None else bias.index_select(0, ids)
    return lambda features: functional.linear(features, rows, of_rows)
