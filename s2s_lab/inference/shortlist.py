"""Decoding over a shortlist: the output layer works on the likely target ids of a batch alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2s_lab.data.batch import Batch
from s2s_lab.data.factors import words_of
from s2s_lab.data.lexicon import Lexicon
from s2s_lab.data.vocabulary import EOS, NUM_SPECIALS, PAD
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.inference.frozen import length_sorted_batches
from s2s_lab.models.seq2seq import Seq2Seq

SHARE = 0.5  # of the vocabulary; a shortlist that reaches it saves too little
ALIGNMENT = 64  # a shortlist's length is a multiple of it: odd ones are slower, and each costs a kernel of its own


class NarrowedNetwork:
    """A view of a network whose target symbols are some ids, numbered by their places in the list.

    The special ids come first and stand for themselves, so a strategy made for the vocabulary's bos, eos and banned ids
    fits. Ascending ids keep the order of ties.

    Args:
        network: in eval mode.
        ids: (candidates,) int64, ascending, the special ids first; on the network's device.
    """

    def __init__(self, network: Seq2Seq, ids: Tensor) -> None:
        self.network = network
        self.ids = ids
        self.scores = network.output.scores_among(ids)

    def step(self, previous: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
        """Make one step of decoding.

        Args:
            previous: (rows,) int64, places in `ids`.
            state: see `Seq2Seq.step`.
            memory: see `Seq2Seq.step`.

        Returns:
            The scores (rows, candidates), unnormalised; the next state; the attention's weights or None.
        """
        features, state, weights = self.network.features(self.ids.index_select(0, previous), state, memory)
        return self.scores(features), state, weights

    def restored(self, sentences: Sequence[Sequence[Hypothesis]]) -> list[list[Hypothesis]]:
        """Give hypotheses of places as hypotheses of the vocabulary's ids."""
        ids = self.ids.tolist()
        return [[replace(item, ids=tuple(ids[place] for place in item.ids)) for item in nbest] for nbest in sentences]


@dataclass(frozen=True)
class Shortlist:
    """Chooses the target ids of a batch: special ids, frequent ids, and likely translations of its source ids.

    What a batch may say is the union over its sentences, filled up with further frequent ids to a multiple of
    `alignment`, so outputs may depend on how sentences are batched. Log-probabilities are normalised over the
    shortlist: they are higher than the model's own by what the left-out ids would get, so a search that compares
    hypotheses may prefer another one even where none leaves the shortlist. A sentence with a source id that the lexicon
    does not know is decoded over the whole vocabulary, and so is a batch whose shortlist reaches `share` of it.

    Paper: Jean et al. 2015, arXiv 1412.2007, section 3.3. Deviation: one list for a batch, and the
    whole vocabulary where that would be long or a source id has no known translation.

    Attributes:
        lexicon: of the model's vocabularies.
        share: of the target vocabulary, above 0; more than 1 never decodes over all of it for that reason.
        alignment: at least 1.
    """

    lexicon: Lexicon
    share: float = SHARE
    alignment: int = ALIGNMENT
    _known: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = np.asarray((self.lexicon.translations >= 0).any(axis=1))
        known[[PAD, EOS]] = True  # they stand in every batch and ask for nothing
        object.__setattr__(self, "_known", known)

    def batches(self, sources: Sequence[Sequence[int]], *, sentences: int) -> Iterator[Batch]:
        """Batches as of `length_sorted_batches`, those of sentences with unknown source ids apart, at the end.

        Args:
            sources: ids of each source, eos included.
            sentences: in a batch.
        """
        size = len(self._known)  # an id beyond it is a word of which nothing is known but that it can be copied
        words = map(words_of, sources)
        unknown = {index for index, ids in enumerate(words) if max(ids) >= size or not self._known[ids].all()}
        for group in ([index for index in range(len(sources)) if index not in unknown], sorted(unknown)):
            yield from length_sorted_batches(sources, sentences=sentences, rows=group)

    def ids(self, sources: np.ndarray) -> np.ndarray | None:
        """Gives a batch's target ids, ascending (candidates,) int64; None for the whole vocabulary.

        Args:
            sources: (rows, source_len) ids, padded.
        """
        found = np.unique(sources)
        if found.max() >= len(self._known) or not self._known[found].all():
            return None
        ranked = self.lexicon.ranked
        size = NUM_SPECIALS + len(ranked)
        chosen = np.zeros(size + 1, bool)  # the last place takes the -1 of missing translations
        chosen[self.lexicon.translations[found]] = True
        chosen[size] = False
        chosen[:NUM_SPECIALS] = True
        chosen[ranked[: self.lexicon.settings.frequent]] = True
        missing = -int(chosen.sum()) % self.alignment
        chosen[ranked[~chosen[ranked]][:missing]] = True
        ids = np.flatnonzero(chosen)
        return None if len(ids) >= self.share * size else ids

    def narrow(self, network: Seq2Seq, batch: Batch) -> NarrowedNetwork | None:
        """Gives the view of a network that decodes a batch; None where the whole network does.

        Args:
            network: in eval mode.
            batch: on the CPU or on the network's device.
        """
        words = [values if values.ndim == 2 else values[..., 0] for values, _ in batch.sources]
        ids = self.ids(np.concatenate([of_source.cpu().numpy() for of_source in words], axis=1))
        if ids is None:
            return None
        device = next(network.output.parameters()).device
        return NarrowedNetwork(network, torch.from_numpy(ids).to(device))
