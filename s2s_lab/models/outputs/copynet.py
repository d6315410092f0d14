"""The output in which generating and copying compete in one softmax."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.outputs.base import check_positions, cross_entropy, safe_log
from s2s_lab.models.outputs.copying_base import CopyingOutput, sums_of, target_and_total


class CopyKeys(NamedTuple):
    """What can be copied of a batch of sources.

    Attributes:
        keys: (batch, source_len, feature_size).
        mask: (batch, source_len) bool, True where real.
        ids: (batch, source_len) int64; vocabulary size + j for the j-th unknown word of the batch.
        words: (batch, unknown words of the batch) int64, the numbers of these words, each row the same.
    """

    keys: Tensor
    mask: Tensor
    ids: Tensor
    words: Tensor


class CopyNetOutput(CopyingOutput):
    """P(w) = (exp(W features + b)_w + sum over source words equal to w of exp(tanh(W_c h_j) features)) / Z.

    It needs no attention. Words that no vocabulary holds are copied as CopyingOutput says.

    Paper: Gu et al. 2016, arXiv 1603.06393, equations 4 to 8. Deviations: the features stand for the state s_t; no
    selective read of the copied word's memory entry (section 3.3).

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: number of source ids.
        memory_size: width of a memory entry h_j.
        unknown_id: of unknown words, on both sides.
    """

    reads_memory = True

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int,
        memory_size: int,
        unknown_id: int = 1,
    ) -> None:
        super().__init__(
            feature_size=feature_size,
            vocabulary_size=vocabulary_size,
            source_vocabulary_size=source_vocabulary_size,
            unknown_id=unknown_id,
        )
        self.projection = nn.Linear(feature_size, vocabulary_size)
        self.copying = nn.Linear(memory_size, feature_size, bias=False)

    def prepare(self, source: Tensor, encoded: EncoderOutput) -> CopyKeys:
        """Make the keys of the source words; see Output."""
        check_positions("copynet", source.shape[1], encoded.memory.shape[1])
        return CopyKeys(torch.tanh(self.copying(encoded.memory)), encoded.memory_mask, *self.target_ids(source))

    def read(self, features: Tensor, weights: Tensor | None, prepared: CopyKeys) -> Tensor:
        """Put the greatest copy score (batch, positions, 1) and exp(scores - it), by word, beside; see Output."""
        energies = torch.bmm(features.to(prepared.keys.dtype), prepared.keys.transpose(1, 2))
        energies = energies.to(torch.promote_types(energies.dtype, torch.float32))
        energies = energies.masked_fill(~prepared.mask.unsqueeze(1), float("-inf"))
        greatest = energies.detach().amax(dim=2, keepdim=True)
        by_word = self.by_word((energies - greatest).exp(), prepared.ids, prepared.words.shape[1])
        return torch.cat((features, greatest, by_word), dim=2)

    def scores(self, features: Tensor) -> Tensor:
        """Give logits (..., vocab + unknown words of the batch): the numerators' logarithms; see Output."""
        plain, greatest, by_word = self._split(features)
        sums = self.sums(by_word)
        logits = self.projection(plain)
        logits = logits.to(torch.promote_types(logits.dtype, sums.dtype))
        words = sums.shape[-1] - self.vocabulary_size
        generated = functional.pad(logits, (0, words), value=float("-inf"))
        return torch.logaddexp(generated, safe_log(sums) + greatest)

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; in training, without smoothing, from the targets' shares alone; see Output."""
        if label_smoothing or not self.training:
            return cross_entropy(self.scores(features), targets, label_smoothing)
        plain, greatest, by_word = self._split(features)
        right, generated = target_and_total(self.projection(plain), targets)
        greatest, shares = greatest.squeeze(1), by_word.chunk(2, dim=-1)[0]
        numerators = torch.logaddexp(right, safe_log(sums_of(by_word, targets)) + greatest)
        totals = torch.logaddexp(generated, shares.sum(dim=1).log() + greatest)
        nll = (totals - numerators).sum()
        return nll, nll.detach()

    def _split(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give the decoder's features, in the weights' type, the greatest copy score and what is laid out by word."""
        sizes = (self.feature_size, 1, features.shape[-1] - self.feature_size - 1)
        plain, greatest, by_word = features.split(sizes, dim=-1)
        return plain.to(self.projection.weight.dtype), greatest, by_word
