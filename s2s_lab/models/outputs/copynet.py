"""The output in which generating and copying compete in one softmax."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.outputs.base import Output, check_positions, cross_entropy, id_fault, safe_log, sum_by_id


class CopyKeys(NamedTuple):
    """What can be copied of a batch of sources.

    Attributes:
        keys: (batch, source_len, feature_size).
        mask: (batch, source_len) bool, True where real.
        ids: (batch, source_len) int64, of the target vocabulary.
    """

    keys: Tensor
    mask: Tensor
    ids: Tensor


class CopyNetOutput(Output):
    """P(w) = (exp(W features + b)_w + sum over source words equal to w of exp(tanh(W_c h_j) features)) / Z.

    It needs no attention. A source word that the target vocabulary lacks counts as unk.

    Paper: Gu et al. 2016, arXiv 1603.06393, equations 4 to 8. Deviations: the features stand for the state s_t; no
    selective read of the copied word's memory entry (section 3.3).

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: number of source ids.
        memory_size: width of a memory entry h_j.
    """

    reads_source = True
    learned = ("matches",)

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int,
        memory_size: int,
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        self.projection = nn.Linear(feature_size, vocabulary_size)
        self.copying = nn.Linear(memory_size, feature_size, bias=False)
        self.matches: Tensor
        self.register_buffer("matches", torch.zeros(source_vocabulary_size, dtype=torch.int64))

    def fault(self) -> str | None:
        """Say whether a source word matches an id beyond the vocabulary; see Output."""
        return id_fault("output.matches", self.matches, self.vocabulary_size)

    def prepare(self, source: Tensor, encoded: EncoderOutput) -> CopyKeys:
        """Make the keys of the source words; see Output."""
        check_positions("copynet", source.shape[1], encoded.memory.shape[1])
        return CopyKeys(torch.tanh(self.copying(encoded.memory)), encoded.memory_mask, self.matches[source])

    def read(self, features: Tensor, weights: Tensor | None, prepared: CopyKeys) -> Tensor:
        """Put the greatest copy score (batch, positions, 1) and exp(scores - it), summed by id, beside; see Output."""
        energies = torch.bmm(features.to(prepared.keys.dtype), prepared.keys.transpose(1, 2))
        energies = energies.to(torch.promote_types(energies.dtype, torch.float32))
        energies = energies.masked_fill(~prepared.mask.unsqueeze(1), float("-inf"))
        greatest = energies.detach().amax(dim=2, keepdim=True)
        sums = sum_by_id((energies - greatest).exp(), prepared.ids, self.vocabulary_size)
        return torch.cat((features, greatest, sums), dim=2)

    def scores(self, features: Tensor) -> Tensor:
        """Give logits (..., vocab): the logarithms of the numerators; see Output."""
        plain, greatest, sums = features.split((self.feature_size, 1, self.vocabulary_size), dim=-1)
        logits = self.projection(plain.to(self.projection.weight.dtype))
        return torch.logaddexp(logits.to(torch.promote_types(logits.dtype, sums.dtype)), safe_log(sums) + greatest)

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; see Output."""
        return cross_entropy(self.scores(features), targets, label_smoothing)
