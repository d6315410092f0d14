"""Batches of sentences of similar length: which rows go together, in which order, and on which rank."""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Sampler

from s2s_lab.faults import RequestError

NOISE = 1  # lengths are blurred by up to so many tokens, so that other sentences meet in each epoch


class Rows(NamedTuple):
    """What one rank takes of a global batch.

    Attributes:
        indices: (rows,) int64, sentence indices in the split; none where the global batch has fewer rows than ranks.
        global_rows: sentences of the global batch, over all ranks.
        global_tokens: target tokens of the global batch, over all ranks, eos included.
        global_source_tokens: source tokens of the global batch, over all ranks, eos included.
        step_tokens: target tokens of all global batches of the optimizer step that this one belongs to.
    """

    indices: np.ndarray
    global_rows: int
    global_tokens: int
    global_source_tokens: int
    step_tokens: int


class _Plan(NamedTuple):
    """One epoch: sentence indices sorted by length, where batches begin in them, and the batches' order."""

    order: np.ndarray  # (sentences,)
    bounds: np.ndarray  # (batches + 1,)
    sequence: np.ndarray  # (batches,)


class BucketedBatches(Sampler[Rows]):
    """Global batches of sentences of similar length, of which this rank takes rows rank::world_size.

    Every sentence comes exactly once in an epoch, over all ranks together; with replacement an epoch is as many draws
    as there are sentences. The global batches follow from (seed, epoch) alone, on any number of ranks, and their
    number is the same in every epoch.

    Args:
        source_lengths: (sentences,) in tokens, eos included.
        target_lengths: (sentences,) in tokens, eos included.
        max_sentences: in a global batch, or None.
        max_tokens: padded tokens in a global batch on its longer side, or None.
        shuffle: other batches in another order in each epoch; otherwise the longest sentences come first.
        seed: of the order.
        rank: of this process.
        world_size: number of processes.
        accumulate: global batches to an optimizer step; the last step of an epoch takes what is left.
        subset: (rows,) indices of the sentences to take, or None for all.
        replacement: whether an epoch's sentences are drawn with replacement; with `shuffle` and without `max_tokens`.
            Draws of one sentence mostly come in one batch, for they are as long as each other: how often a sentence
            comes is as by chance, what comes beside it is not.

    Raises:
        RequestError: if there is no limit, or a limit cannot be kept.
    """

    def __init__(
        self,
        *,
        source_lengths: np.ndarray,
        target_lengths: np.ndarray,
        max_sentences: int | None = None,
        max_tokens: int | None = None,
        shuffle: bool,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        accumulate: int = 1,
        subset: np.ndarray | None = None,
        replacement: bool = False,
    ) -> None:
        self.rank, self.world_size, self.accumulate = rank, world_size, accumulate
        self.max_sentences, self.max_tokens = max_sentences, max_tokens
        self.shuffle, self.seed, self.replacement = shuffle, seed, replacement
        self._subset = None if subset is None else np.asarray(subset, np.int64)
        chosen = slice(None) if self._subset is None else self._subset
        self._sources, self._targets = np.asarray(source_lengths)[chosen], np.asarray(target_lengths)[chosen]
        self._check()
        self._epoch, self._position, self._resume_at = 0, 0, 0
        self._plans: dict[int, _Plan] = {}
        self._num_batches = self._count()

    def _check(self) -> None:
        if self.max_sentences is None and self.max_tokens is None:
            raise RequestError("data.batch.max_sentences or data.batch.max_tokens must be given")
        if self.replacement and self.max_tokens is not None:
            raise RequestError(
                f"data.replacement=true data.batch.max_tokens={self.max_tokens}: batches of so many sentences are "
                "expected, data.batch.max_sentences=N data.batch.max_tokens=null"
            )
        longest = int(max(self._sources.max(), self._targets.max()))
        if self.max_tokens is not None and self.max_tokens < longest:
            raise RequestError(
                f"data.batch.max_tokens={self.max_tokens}: at least {longest} for the longest sentence of {longest} "
                f"tokens; or filter by data.max_source_length"
            )

    def _count(self) -> int:
        """Batches in every epoch: with shuffling by tokens, up to a twentieth more than the tightest packing."""
        if self.max_tokens is None:
            assert self.max_sentences is not None
            return -(-len(self._sources) // self.max_sentences)
        tightest = len(self._by_tokens(self._sorted(None))) - 1
        slack = max(1, tightest // 20) if self.shuffle and 4 * tightest < len(self._sources) else 0
        return tightest + slack

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[Rows]:
        plan = self._plan()
        self._position, self._resume_at = self._resume_at, 0
        while self._position < len(plan.sequence):
            batch = self._batch(plan, self._position)
            step_tokens = self._step_tokens(plan, self._position)
            self._position += 1
            yield Rows(
                self._original(batch[self.rank :: self.world_size]),
                len(batch),
                int(self._targets[batch].sum()),
                int(self._sources[batch].sum()),
                step_tokens,
            )

    @property
    def epoch(self) -> int:
        """The epoch whose batches it gives, from 0."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Chooses the batches of an epoch; a position in the same epoch is kept."""
        if epoch != self._epoch:
            self._epoch, self._position, self._resume_at = epoch, 0, 0

    def state_dict(self, position: int | None = None) -> dict[str, Any]:
        """Where the epoch stands.

        Args:
            position: batches of the epoch that are done, when a loader has fetched ahead; None: all fetched ones.
        """
        done = self._position if position is None else position
        return {"epoch": self._epoch, "position": done, "digest": self.digest()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Makes the next iteration give exactly the batches that were left.

        Raises:
            RequestError: if the state is of other data or other settings.
        """
        if state["digest"] != self.digest():
            raise RequestError("the saved position in the data is of other data, batch settings or seed")
        self._epoch, self._position, self._resume_at = state["epoch"], state["position"], state["position"]

    def digest(self) -> str:
        """sha256 of all that decides the global batches."""
        settings = [self.max_sentences, self.max_tokens, self.shuffle, self.seed, NOISE]
        settings += ["replacement"] if self.replacement else []
        content = hashlib.sha256(repr(settings).encode())
        for array in (self._sources, self._targets, *([] if self._subset is None else [self._subset])):
            content.update(np.ascontiguousarray(array, dtype=np.int64).data)
        return content.hexdigest()

    def fill(self, side: str | None = None) -> float:
        """Real tokens over padded tokens in this epoch's global batches: of `source`, `target`, or both (None)."""
        plan = self._plan()
        starts, rows = plan.bounds[:-1], np.diff(plan.bounds)
        chosen = {"source": [self._sources], "target": [self._targets], None: [self._sources, self._targets]}[side]
        padded = sum(int((np.maximum.reduceat(lengths[plan.order], starts) * rows).sum()) for lengths in chosen)
        return sum(int(lengths[plan.order].sum(dtype=np.int64)) for lengths in chosen) / padded

    def largest(self, epoch: int | None = None) -> Rows:
        """The global batch with the most padded tokens on both sides together, all its rows: of this epoch or another.

        Args:
            epoch: from 0; None: the present one.
        """
        plan = self._plan() if epoch is None or epoch == self._epoch else self._planned(epoch if self.shuffle else 0)
        widest = sum(
            np.maximum.reduceat(lengths[plan.order], plan.bounds[:-1]).astype(np.int64)
            for lengths in (self._sources, self._targets)
        )
        batch = int(np.argmax(widest * np.diff(plan.bounds)))
        rows = plan.order[plan.bounds[batch] : plan.bounds[batch + 1]]
        tokens = int(self._targets[rows].sum())
        return Rows(self._original(rows), len(rows), tokens, int(self._sources[rows].sum()), tokens)

    def _original(self, rows: np.ndarray) -> np.ndarray:
        return rows.astype(np.int64) if self._subset is None else self._subset[rows]

    def _batch(self, plan: _Plan, position: int) -> np.ndarray:
        batch = plan.sequence[position]
        return plan.order[plan.bounds[batch] : plan.bounds[batch + 1]]

    def _step_tokens(self, plan: _Plan, position: int) -> int:
        first = position - position % self.accumulate
        last = min(first + self.accumulate, len(plan.sequence))
        return sum(int(self._targets[self._batch(plan, place)].sum()) for place in range(first, last))

    def _plan(self) -> _Plan:
        epoch = self._epoch if self.shuffle else 0
        if epoch not in self._plans:
            self._plans = {epoch: self._planned(epoch)}
        return self._plans[epoch]

    def _planned(self, epoch: int) -> _Plan:
        noise = np.random.default_rng([self.seed, epoch]) if self.shuffle else None
        order = self._sorted(noise)
        if self.max_tokens is None:
            bounds = np.arange(self._num_batches + 1) * len(order) // self._num_batches
        else:
            bounds = self._by_tokens(order)
            if len(bounds) - 1 > self._num_batches:  # the blur cost more than the slack
                order = self._sorted(noise, blur=0)
                bounds = self._by_tokens(order)
            bounds = _halved(bounds, self._num_batches)
        sequence = np.arange(self._num_batches)[::-1] if noise is None else noise.permutation(self._num_batches)
        return _Plan(order, bounds, sequence)

    def _sorted(self, noise: np.random.Generator | None, blur: int = NOISE) -> np.ndarray:
        """Sentence indices by length of the longer side or of the target, then by source length, up and down."""
        longest = int(max(self._targets.max(), self._sources.max())) + blur + 1
        kind = np.int32 if longest**2 < 1 << 31 else np.int64  # of the key below, of which there may be millions
        targets, sources = self._targets.astype(kind), self._sources.astype(kind)
        order = np.arange(len(targets), dtype=np.int32 if len(targets) < 1 << 31 else np.int64)
        first = targets if self.max_tokens is None else np.maximum(targets, sources)
        if noise is not None:
            if self.replacement:
                order = noise.integers(0, len(order), len(order), dtype=order.dtype)
            else:
                noise.shuffle(order)
            if blur:
                first = first + noise.integers(0, blur + 1, len(first)).astype(kind)
                sources = sources + noise.integers(0, blur + 1, len(first)).astype(kind)
        span = int(sources.max()) + 1
        key = first * span + np.where(first % 2 == 0, sources, span - 1 - sources)
        return order[np.argsort(key[order], kind="stable")]

    def _by_tokens(self, order: np.ndarray) -> np.ndarray:
        """Where batches begin, each as long as the budget of padded tokens allows."""
        assert self.max_tokens is not None
        longer = np.maximum(self._sources, self._targets)[order].astype(np.int64)
        bounds, start = [0], 0
        while start < len(longer):
            most = min(self.max_tokens // int(longer[start]), self.max_sentences or len(longer))
            widest = np.maximum.accumulate(longer[start : start + most])
            fits = widest * np.arange(1, len(widest) + 1) <= self.max_tokens
            start += int(np.count_nonzero(fits))
            bounds.append(start)
        return np.asarray(bounds)


def _halved(bounds: np.ndarray, count: int) -> np.ndarray:
    """Splits the batches with the most rows until there are `count`, of which none is empty."""
    while len(bounds) - 1 < count:
        sizes = np.diff(bounds)
        chosen = np.argsort(-sizes, kind="stable")[: min(count - len(sizes), np.count_nonzero(sizes > 1))]
        bounds = np.sort(np.concatenate([bounds, bounds[chosen] + sizes[chosen] // 2]))
    return bounds
