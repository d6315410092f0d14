"""Makes, of the training pairs, the tables that an output needs."""

import logging
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from s2s_lab.data.lexicon import LexiconSettings, Probabilities, translation_probabilities
from s2s_lab.data.prepared import PreparedData
from s2s_lab.data.vocabulary import BOS, EOS, NUM_SPECIALS, PAD, UNK, Vocabulary
from s2s_lab.models.outputs.base import Output

log = logging.getLogger(__name__)


def fill_tables(output: Output, prepared: PreparedData) -> None:
    """Fills the tables of an output, in place; the same ones on every rank."""
    for name in output.learned:
        output.fill(**MAKERS[name](output, prepared))


def best_translations(found: Probabilities, *, source_size: int, translations: int) -> tuple[np.ndarray, np.ndarray]:
    """The most probable translations of each source id, best first.

    Unknown words are translated like any other; eos translates into eos alone; pad and bos into nothing.

    Args:
        found: t(target | source).
        source_size: ids of the source vocabulary.
        translations: of each source id at most.

    Returns:
        Target ids and their probabilities, both (source_size, translations), 0 where there is no further one.
    """
    ids = np.zeros((source_size, translations), np.int64)
    probabilities = np.zeros((source_size, translations), np.float32)
    kept = ~np.isin(found.sources, (PAD, BOS, EOS)) & ~np.isin(found.targets, (PAD, BOS, EOS))
    sources, targets, values = (part[kept] for part in found)
    order = np.lexsort((targets, -values, sources))
    sources, targets, values = sources[order], targets[order], values[order]
    ranks = np.arange(len(sources)) - np.searchsorted(sources, sources)
    best = ranks < translations
    ids[sources[best], ranks[best]] = targets[best]
    probabilities[sources[best], ranks[best]] = values[best]
    ids[EOS, 0], probabilities[EOS, 0] = EOS, 1.0
    return ids, probabilities


def matching_ids(source: Vocabulary, target: Vocabulary) -> np.ndarray:
    """The target id of each source id's token (source_size,): unk where the target vocabulary lacks it."""
    ids = np.array([*range(NUM_SPECIALS), *target.encode(source.tokens[NUM_SPECIALS:])], np.int64)
    return ids


def _lexicon(output: Output, prepared: PreparedData) -> dict[str, Tensor]:
    found = translation_probabilities(
        prepared.splits["train"], target_size=len(prepared.target_vocabulary), settings=LexiconSettings()
    )
    source_size, translations = output.get_buffer("lexicon_ids").shape
    ids, probabilities = best_translations(found, source_size=source_size, translations=translations)
    log.info("lexicon: %d translations of %d source tokens", (probabilities > 0).sum(), (probabilities[:, 0] > 0).sum())
    return {"lexicon_ids": torch.from_numpy(ids), "lexicon_probabilities": torch.from_numpy(probabilities)}


def _matches(output: Output, prepared: PreparedData) -> dict[str, Tensor]:
    ids = matching_ids(prepared.source_vocabulary, prepared.target_vocabulary)
    common = int((ids[NUM_SPECIALS:] != UNK).sum())
    log.info("copying: %d of %d source tokens are in the target vocabulary", common, len(ids) - NUM_SPECIALS)
    return {"matches": torch.from_numpy(ids)}


MAKERS: Mapping[str, Callable[[Output, PreparedData], dict[str, Tensor]]] = {"lexicon": _lexicon, "matches": _matches}
"""What makes each kind of tables."""
