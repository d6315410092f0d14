"""What outputs that copy source words have in common: what these words are among the target's ids."""

import torch
from torch import Tensor

from s2s_lab.models.outputs.base import Output, id_fault, sum_by_id


class CopyingOutput(Output):
    """An output that may copy source words.

    In eval mode each source word that the source's vocabulary lacks may have an id of its own beyond it; it is scored
    after the target's vocabulary, and fed back as unk; one that the target's vocabulary holds then has two ids, whose
    probabilities are not summed. In training all such words count as unk, and so do those that the target's vocabulary
    alone lacks.

    What each source position adds to its word is read into the features. In eval mode that is (..., vocab + unknown
    words of the batch), sums by id; in training, where a loss asks for one id of each position, (..., 2 source_len):
    what the positions add, and their ids.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        source_vocabulary_size: number of source ids.
        unknown_id: of unknown words, on both sides.
    """

    reads_source = True
    copies_unknown = True
    learned = ("matches",)

    def __init__(
        self, *, feature_size: int, vocabulary_size: int, source_vocabulary_size: int, unknown_id: int
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        self.unknown_id = unknown_id
        self.matches: Tensor
        self.register_buffer("matches", torch.zeros(source_vocabulary_size, dtype=torch.int64))

    def fault(self) -> str | None:
        """Say whether a source word matches an id beyond the vocabulary; see Output."""
        return id_fault("output.matches", self.matches, self.vocabulary_size)

    def known(self, ids: Tensor, *, source: bool = False) -> Tensor:
        """Give ids with unk for those beyond the vocabulary; see Output."""
        if self.training:
            return ids
        return ids.masked_fill(ids >= (len(self.matches) if source else self.vocabulary_size), self.unknown_id)

    def target_ids(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Look source words up.

        Args:
            source: (batch, source_len) ids.

        Returns:
            Their target ids (batch, source_len), vocabulary size + j for the j-th unknown word of the batch, and the
            numbers of these words (batch, unknown words of the batch), each row the same.
        """
        ids = self.matches[self.known(source, source=True)]
        if self.training:
            return ids, source.new_zeros((len(source), 0))
        unknown = source >= len(self.matches)
        words, places = (source[unknown] - len(self.matches)).unique(return_inverse=True)
        return ids.masked_scatter(unknown, self.vocabulary_size + places), words.expand(len(source), -1)

    def by_word(self, shares: Tensor, ids: Tensor, unknown: int) -> Tensor:
        """Give what is read into the features.

        Args:
            shares: (batch, positions, source_len), what each source position adds to its word.
            ids: (batch, source_len) int64, as of `target_ids`.
            unknown: unknown words of the batch.

        Returns:
            (batch, positions, size), float32 at least; see the class.
        """
        shares = shares.to(torch.promote_types(shares.dtype, torch.float32))  # ids below 2^24 are exact in it
        if self.training:
            return torch.cat((shares, ids.unsqueeze(1).expand_as(shares).to(shares.dtype)), dim=2)
        return sum_by_id(shares, ids, self.vocabulary_size + unknown)

    def sums(self, by_word: Tensor) -> Tensor:
        """Give the sums of all ids (..., vocab + unknown words) of what `by_word` gave."""
        if not self.training:
            return by_word
        shares, ids = by_word.chunk(2, dim=-1)
        zeros = shares.new_zeros((*shares.shape[:-1], self.vocabulary_size))
        return zeros.scatter_add(-1, ids.long(), shares)


def sums_of(by_word: Tensor, targets: Tensor) -> Tensor:
    """Give the sums of one id of each token (tokens,), of what `by_word` gave in training.

    Args:
        by_word: (tokens, 2 source_len).
        targets: (tokens,) ids.
    """
    shares, ids = by_word.chunk(2, dim=-1)
    return (shares * (ids == targets.unsqueeze(1))).sum(dim=1)


def target_and_total(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Give the targets' logits and the logarithms of the sums of exp(logits): two of (tokens,), float32 at least.

    Args:
        logits: (tokens, vocab).
        targets: (tokens,) ids.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return logits.gather(1, targets.unsqueeze(1)).squeeze(1), logits.logsumexp(dim=1)
