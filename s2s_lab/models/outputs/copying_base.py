"""What outputs that copy source words have in common: what these words are among the target's ids."""

import torch
from torch import Tensor

from s2s_lab.models.outputs.base import Output, id_fault


class CopyingOutput(Output):
    """An output that may copy source words.

    In eval mode each source word that the source's vocabulary lacks may have an id of its own beyond it; it is scored
    after the target's vocabulary, and fed back as unk. In training all such words count as unk, and so do those that
    the target's vocabulary alone lacks.

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
