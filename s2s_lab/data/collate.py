"""Padded batches of encoded sentences."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from s2s_lab.data.batch import Batch
from s2s_lab.data.bucketing import Rows
from s2s_lab.data.encoded import EncodedSplit
from s2s_lab.data.vocabulary import EOS, PAD


class Collator(Dataset[Batch]):
    """A map from rows of a split to their batch; for a DataLoader with `batch_size=None`.

    Args:
        split: where the sentences lie.
    """

    def __init__(self, split: EncodedSplit) -> None:
        self.split = split

    def __getitem__(self, rows: Rows | Sequence[int] | np.ndarray) -> Batch:
        """The batch of these sentences, in this order.

        Args:
            rows: what BucketedBatches yields, or plain sentence indices, then taken as the whole global batch. No
                sentence of a global batch that has some gives a placeholder.
        """
        if isinstance(rows, Rows) and not len(rows.indices):
            return _placeholder(rows, self.split.num_sources, self.split.num_factors)
        indices = np.asarray(rows.indices if isinstance(rows, Rows) else rows, dtype=np.int64)
        source_lengths, target_lengths = self.split.source_lengths[indices], self.split.target_lengths[indices]
        tokens = int(target_lengths.sum())
        whole = (
            rows
            if isinstance(rows, Rows)
            else Rows(indices, len(indices), tokens, int(source_lengths.sum()), step_tokens=tokens)
        )
        return Batch(
            sources=_apart(self._padded("source", indices, source_lengths), _lengths(source_lengths)),
            targets=self._padded("target", indices, target_lengths),
            target_lengths=_lengths(target_lengths),
            index=torch.from_numpy(indices),
            global_rows=whole.global_rows,
            global_tokens=whole.global_tokens,
            global_source_tokens=whole.global_source_tokens,
            step_tokens=whole.step_tokens,
        )

    def _padded(self, side: str, indices: np.ndarray, lengths: np.ndarray) -> torch.Tensor:
        """Ids (rows, longest), or (rows, longest, 1 + factors), gathered in one piece."""
        ids, starts = self.split.ids[side], self.split.offsets[side][indices]  # type: ignore[index]
        positions = np.arange(lengths.max(initial=0))
        real = positions < lengths[:, None]  # (rows, longest)
        padded = np.full(real.shape, PAD, np.int64)
        places = (starts[:, None] + positions)[real]
        padded[real] = ids[places]
        if side == "target" or self.split.factors is None:
            return torch.from_numpy(padded)
        rows = np.full((*real.shape, 1 + self.split.num_factors), PAD, np.int64)
        rows[..., 0] = padded
        rows[real, 1:] = self.split.factors[places]
        return torch.from_numpy(rows)


def collate(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray] | None, index: Sequence[int] | np.ndarray
) -> Batch:
    """The batch of sentences that are in no split, such as lines to translate.

    Args:
        sources: ids of each source, eos included; of several sources of a target, one after the other.
        targets: ids of each target, eos included, or None.
        index: number of each sentence.

    Returns:
        A batch that is its own global batch; targets are (rows, 0) when there are none.
    """
    source_ids, source_lengths = _stacked(sources)
    target_ids, target_lengths = _stacked(targets or [np.zeros(0, np.int64)] * len(sources))
    return Batch(
        sources=_apart(source_ids, source_lengths),
        targets=target_ids,
        target_lengths=target_lengths,
        index=torch.from_numpy(np.asarray(index, dtype=np.int64)),
        global_rows=len(sources),
        global_tokens=int(target_lengths.sum()),
    )


def _placeholder(rows: Rows, num_sources: int, num_factors: int) -> Batch:
    shape = (1, 1, 1 + num_factors) if num_factors else (1, 1)
    return Batch(
        sources=((torch.full(shape, EOS), torch.ones(1, dtype=torch.int64)),) * num_sources,
        targets=torch.full((1, 1), PAD),
        target_lengths=torch.zeros(1, dtype=torch.int64),
        index=torch.full((1,), -1),
        global_rows=rows.global_rows,
        global_tokens=rows.global_tokens,
        global_source_tokens=rows.global_source_tokens,
        step_tokens=rows.step_tokens,
        placeholder=True,
    )


def _apart(ids: torch.Tensor, lengths: torch.Tensor) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """Takes sources apart that lie one after the other, each ending with eos, as many in each row.

    Args:
        ids: (rows, source_len), or (rows, source_len, 1 + factors), padded; padding is no eos.
        lengths: (rows,), of all sources of a row together.

    Returns:
        Of each source (ids, lengths), padded anew.
    """
    words = ids if ids.ndim == 2 else ids[..., 0]
    rows, ends = (words == EOS).nonzero(as_tuple=True)
    count = len(ends) // len(ids) if len(ids) else 1
    if count <= 1:
        return ((ids, lengths),)
    assert torch.equal(rows, torch.arange(len(ids)).repeat_interleave(count)), "rows have different numbers of sources"
    ends = ends.view(len(ids), count) + 1
    starts = torch.cat((torch.zeros_like(ends[:, :1]), ends[:, :-1]), 1)
    sources = []
    for place in range(count):
        of_source = ends[:, place] - starts[:, place]
        positions = torch.arange(int(of_source.max()))
        places = (starts[:, place, None] + positions).clamp(max=ids.shape[1] - 1)
        beyond = positions >= of_source[:, None]
        if ids.ndim == 3:
            places, beyond = places.unsqueeze(2), beyond.unsqueeze(2)
        padded = ids.take_along_dim(places, 1).masked_fill(beyond, PAD)
        sources.append((padded, of_source))
    return tuple(sources)


def _stacked(sentences: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = np.fromiter((len(ids) for ids in sentences), np.int64, len(sentences))
    real = np.arange(lengths.max(initial=0)) < lengths[:, None]
    width = np.shape(sentences[0])[1:] if len(sentences) else ()  # 1 + factors, where there are any
    padded = np.full((*real.shape, *width), PAD, np.int64)
    if real.any():
        padded[real] = np.concatenate(sentences)
    return torch.from_numpy(padded), torch.from_numpy(lengths)


def _lengths(lengths: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(lengths.astype(np.int64))
