"""Decodes batches with a frozen network and gives the hypotheses back in the order of the sentences."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from s2s_lab.data.batch import Batch
from s2s_lab.decoding.base import DecodingStrategy, Hypothesis
from s2s_lab.decoding.task import Demands
from s2s_lab.inference.copied_words import copied_ids, numbered
from s2s_lab.inference.encodings import Encodings, encode
from s2s_lab.inference.lanes import Cancellation, side_by_side
from s2s_lab.inference.shortlist import Shortlist
from s2s_lab.inference.view import Network
from s2s_lab.models.seq2seq import Seq2Seq


class Spent(NamedTuple):
    """Wall time of one batch, in seconds.

    Attributes:
        encoding: whenever it was done.
        decoding: without encoding.
        before: what of encoding's was spent before, for another strategy.
    """

    encoding: float
    decoding: float
    before: float


@dataclass
class Decoded:
    """What a strategy gave for a set of sentences.

    Attributes:
        hypotheses: n-best lists, best first, by sentence index.
        seconds: wall time of encoding and decoding; encoding counts in full where it had been done before.
        encoding_seconds: what of it is encoding's, the mean over lanes.
        tokens: tokens of the best hypotheses, each with its end symbol.
    """

    hypotheses: dict[int, list[Hypothesis]] = field(default_factory=dict)
    seconds: float = 0.0
    encoding_seconds: float = 0.0
    tokens: int = 0

    @property
    def best(self) -> list[Hypothesis]:
        """The best hypothesis of each sentence, by ascending sentence index."""
        return [self.hypotheses[index][0] for index in sorted(self.hypotheses)]


def decode_batches(
    network: Network,
    strategy: DecodingStrategy,
    batches: Iterable[Batch],
    *,
    device: torch.device,
    weights_of: frozenset[int] = frozenset(),
    shortlist: Shortlist | None = None,
    exact_lengths: Sequence[int] | None = None,
    demands: Demands | None = None,
    encodings: Encodings | None = None,
    first: int = 0,
    lanes: int = 1,
) -> Iterator[tuple[Batch, list[list[Hypothesis]], Spent]]:
    """Gives each batch, in their order, with its n-best lists and the seconds that encoding and decoding took.

    Args:
        network: or a view of networks; in eval mode, on `device`.
        strategy: any decoding strategy.
        batches: in any order; a batch knows its sentences' indices.
        device: where the network is.
        weights_of: sentences whose attention weights are kept.
        shortlist: chooses the target ids that each batch is decoded over, of a network that is no view; all of them if
            None.
        exact_lengths: tokens without eos that each sentence's output is to have, by sentence index; None leaves the
            lengths to the strategy.
        demands: what the outputs must hold, by sentence index, in ids of the whole vocabulary.
        encodings: of these very sentences, where they are kept for another strategy; None keeps nothing.
        first: how many sentences came before in the same split or stream: noise is seeded by a sentence's place there.
        lanes: batches that are decoded at once; see `side_by_side`.
    """
    given = None if exact_lengths is None else torch.tensor(exact_lengths, dtype=torch.int64)

    def decode_one(batch: Batch, cancellation: Cancellation) -> tuple[Batch, list[list[Hypothesis]], Spent]:
        moved = batch.to(device)
        encoded = encode(network, moved) if encodings is None else encodings.start(network, moved)
        memory, state = encoded.memory, encoded.state
        began = time.perf_counter()
        with torch.inference_mode():
            narrowed = None
            if shortlist is not None:
                assert isinstance(network, Seq2Seq), "a shortlist narrows the output layer of one network"
                narrowed = shortlist.narrow(network, batch)
            copying = network.output if isinstance(network, Seq2Seq) and network.output.copies_unknown else None
            search = strategy
            if narrowed is not None:
                search = strategy.among(narrowed.ids.tolist())
            elif copying is not None:
                search = strategy.among(copied_ids(memory.output, copying.vocabulary_size))
            hypotheses = search.decode(
                cancellation.guard(network.step if narrowed is None else narrowed.step),
                state,
                memory,
                source_lengths=moved.source_lengths,
                sentence_index=moved.index + first,
                return_weights=not weights_of.isdisjoint(batch.index.tolist()),
                exact_lengths=None if given is None else given[batch.index].to(device),
                demands=None if demands is None else demands.of(batch.index.tolist()),
            )
            if narrowed is not None:
                hypotheses = narrowed.restored(hypotheses)
            if copying is not None:
                hypotheses = numbered(hypotheses, memory.output, copying.vocabulary_size)
        spent = Spent(encoded.seconds, time.perf_counter() - began, encoded.seconds if encoded.kept else 0.0)
        return batch, hypotheses, spent

    return side_by_side(decode_one, batches, lanes)


def decode(
    network: Network,
    strategy: DecodingStrategy,
    batches: Iterable[Batch],
    *,
    device: torch.device,
    weights_of: frozenset[int] = frozenset(),
    shortlist: Shortlist | None = None,
    exact_lengths: Sequence[int] | None = None,
    demands: Demands | None = None,
    encodings: Encodings | None = None,
    first: int = 0,
    lanes: int = 1,
) -> Decoded:
    """Decodes all batches; arguments as in `decode_batches`."""
    decoded = Decoded()
    all_spent: list[Spent] = []
    began = time.perf_counter()
    for batch, hypotheses, spent in decode_batches(
        network, strategy, batches, device=device, weights_of=weights_of, shortlist=shortlist,
        exact_lengths=exact_lengths, demands=demands, encodings=encodings, first=first,
        lanes=lanes,
    ):  # fmt: skip
        decoded.hypotheses.update(zip(batch.index.tolist(), hypotheses, strict=True))
        all_spent.append(spent)
        decoded.tokens += sum(len(nbest[0].ids) + nbest[0].finished for nbest in hypotheses)
    if all_spent:
        encoding, _, before = map(sum, zip(*all_spent, strict=True))
        used = min(lanes, len(all_spent))
        decoded.seconds = time.perf_counter() - began + before / used
        decoded.encoding_seconds = encoding / used
    return decoded
