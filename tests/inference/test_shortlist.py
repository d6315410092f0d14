"""A shortlist changes which ids may be said, and nothing else."""

import functools
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from s2s_lab.assemble.configuration import compose_jobs, plain
from s2s_lab.assemble.inference import build_strategy
from s2s_lab.assemble.network import build_network
from s2s_lab.assemble.options import groups
from s2s_lab.data.batch import Batch
from s2s_lab.data.lexicon import Lexicon, LexiconSettings
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.vocabulary import BOS, EOS, NUM_SPECIALS, PAD, UNK, Vocabulary
from s2s_lab.decoding.base import DecodingStrategy, Hypothesis
from s2s_lab.inference.decode import decode
from s2s_lab.inference.frozen import length_sorted_batches
from s2s_lab.inference.packed import pack, quantize
from s2s_lab.inference.shortlist import NarrowedNetwork, Shortlist
from s2s_lab.inference.text import TextSide
from s2s_lab.models.seq2seq import Seq2Seq
from tests.inference.test_frozen import CPU, WORDS

SIZE, K, FREQUENT = 40, 3, 2
SOURCES = [[4, 9, 7, EOS], [12, EOS], [5, 5, 30, 6, 8, EOS], [EOS], [21, 4, EOS]]
READING = ("lexicon_prior", "lexicon_prior_linear", "pointer_generator", "copynet")  # outputs that read the source
MODELS = [(), ("model=lstm",), ("output=tied",), ("model=bahdanau",), *((f"output={name}",) for name in READING)]
STRATEGIES = [*(option for option in groups()["decoding"] if option != "forced"), "wide"]  # forced is given its ids
SIDE = TextSide(WhitespaceTokenizer(), Vocabulary([f"w{number % 7}x{number}" for number in range(SIZE - 4)]))
KINDS: dict[str, Callable[[Seq2Seq], Seq2Seq]] = {
    "float32": lambda network: network,
    "float64": lambda network: network.double(),
    "bfloat16": lambda network: network.to(torch.bfloat16),
    "packed": pack,
    "packed bfloat16": lambda network: pack(network.to(torch.bfloat16)),
    "int8": quantize,
}


@functools.cache
def composed(name: str, *words: str) -> dict[str, Any]:
    return plain(compose_jobs(name, list(words), multirun=False, folder=None)[0])


def network(*words: str) -> Seq2Seq:
    made = build_network(composed("train", *WORDS, *words), source_size=SIZE, target_size=SIZE, shared=False).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    for table in made.output.buffers():
        table.copy_(torch.randint(SIZE, table.shape) if table.dtype == torch.int64 else torch.rand(table.shape) / 32)
    return made


def strategy(option: str) -> DecodingStrategy:
    more = {"wide": "decoding.num_hypotheses=3", "exact": "decoding.budget=20", "best_first": "decoding.budget=20"}
    words = [
        f"decoding={'beam' if option == 'wide' else option}",
        *filter(None, [more.get(option)]),
        "decoding.max_length=9",
    ]
    return build_strategy(composed("evaluate", *words)["decoding"], target=SIDE)


def lexicon(**settings: int) -> Lexicon:
    """Of every ordinary source id but 13, which is not known, and of 14 with one translation alone."""
    chance = np.random.default_rng(3)
    translations = np.full((SIZE, K), -1, np.int32)
    translations[NUM_SPECIALS:] = chance.integers(NUM_SPECIALS, SIZE, (SIZE - NUM_SPECIALS, K))
    translations[13] = -1
    translations[14, 1:] = -1
    ranked = chance.permutation(np.arange(NUM_SPECIALS, SIZE)).astype(np.int32)
    return Lexicon(translations, ranked, LexiconSettings(translations=K, frequent=FREQUENT, **settings))


def whole_batch(sources: list[list[int]] = SOURCES) -> Batch:
    (batch,) = length_sorted_batches(sources, sentences=len(sources))
    return batch


def searched(of: Seq2Seq, search: DecodingStrategy, batch: Batch, step: Any = None) -> list[list[Hypothesis]]:
    with torch.inference_mode():
        memory, state = of.start(batch.sources)
        return search.decode(
            step or of.step, state, memory, source_lengths=batch.sources[0][1], sentence_index=batch.index,
            return_weights=True,
        )  # fmt: skip


def assert_same(found: list[list[Hypothesis]], expected: list[list[Hypothesis]], tolerance: float) -> None:
    assert [[item.ids for item in nbest] for nbest in found] == [[item.ids for item in nbest] for nbest in expected]
    for one, other in zip(chain(*found), chain(*expected), strict=True):
        assert one.finished == other.finished
        assert (one.log_prob, one.score) == pytest.approx((other.log_prob, other.score), abs=tolerance)
        assert (one.weights is None) == (other.weights is None)
        if one.weights is not None and other.weights is not None:
            torch.testing.assert_close(one.weights, other.weights)


@pytest.mark.parametrize("option", STRATEGIES)
@pytest.mark.parametrize("words", MODELS)
def test_decoding_is_that_of_a_model_in_which_all_other_ids_are_impossible(words: tuple[str, ...], option: str) -> None:
    full, search, batch = network(*words).double(), strategy(option), whole_batch()
    shortlist = Shortlist(lexicon(), share=2.0, alignment=1)
    ids = shortlist.ids(batch.sources[0][0].numpy())
    assert ids is not None and len(ids) < SIZE
    outside = torch.ones(SIZE, dtype=torch.bool)
    outside[torch.from_numpy(ids)] = False

    def masked(previous: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
        scores, state, weights = full.step(previous, state, memory)
        return scores.masked_fill(outside, -torch.inf), state, weights

    narrowed = shortlist.narrow(full, batch)
    assert narrowed is not None
    found = narrowed.restored(searched(full, search.among(ids.tolist()), batch, narrowed.step))
    assert_same(found, searched(full, search, batch, masked), 1e-9)
    assert found != searched(full, search, batch)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", [(), ("output=tied",), *((f"output={name}",) for name in READING)])
def test_scores_are_the_columns_of_the_whole_networks(words: tuple[str, ...], kind: str) -> None:
    full, ids, batch = KINDS[kind](network(*words)), torch.tensor([0, 1, 2, 3, 5, 8, 13, 21, 34]), whole_batch()
    narrowed = NarrowedNetwork(full, ids)
    places = torch.tensor([2, 8, 1, 4, 6])
    with torch.inference_mode():
        memory, state = full.start(batch.sources)
        expected, next_state, weights = full.step(ids[places], state, memory)
        found, state, same = narrowed.step(places, state, memory)
    torch.testing.assert_close(found, expected[:, ids])
    torch.testing.assert_close((state, same), (next_state, weights), rtol=0, atol=0)


@pytest.mark.parametrize("option", STRATEGIES)
@pytest.mark.parametrize("kind", ["float32", "packed", "int8"])
def test_a_shortlist_of_all_ids_gives_what_the_whole_network_gives(kind: str, option: str) -> None:
    full, search, batch = KINDS[kind](network()), strategy(option), whole_batch()
    everything = Shortlist(lexicon(), share=2.0, alignment=SIZE).narrow(full, batch)
    assert everything is not None and everything.ids.tolist() == list(range(SIZE))
    found = everything.restored(searched(full, search, batch, everything.step))
    assert_same(found, searched(full, search, batch), 0.0)


@pytest.mark.parametrize("sentences", [1, 2, 8])
def test_a_lexicon_of_everything_changes_no_output(sentences: int) -> None:
    full, search, ordinary = network(), strategy("beam"), np.arange(NUM_SPECIALS, SIZE, dtype=np.int32)
    translations = np.full((SIZE, len(ordinary)), -1, np.int32)
    translations[NUM_SPECIALS:] = ordinary
    shortlist = Shortlist(Lexicon(translations, ordinary, LexiconSettings(translations=len(ordinary), frequent=SIZE)))
    plainly = decode(full, search, length_sorted_batches(SOURCES, sentences=sentences), device=CPU)
    listed = decode(full, search, shortlist.batches(SOURCES, sentences=sentences), device=CPU, shortlist=shortlist)
    assert listed.hypotheses == plainly.hypotheses and listed.tokens == plainly.tokens


@pytest.mark.parametrize("sentences", [1, 2, 8])
def test_sentences_with_unknown_source_ids_are_decoded_over_everything(sentences: int) -> None:
    full, search = network().double(), strategy("beam")
    sources = [*SOURCES, [5, UNK, EOS], [13, EOS], [7, 7, 7, 13, 9, EOS]]
    shortlist = Shortlist(lexicon(), share=2.0, alignment=1)
    batches = list(shortlist.batches(sources, sentences=sentences))
    assert sorted(index for batch in batches for index in batch.index.tolist()) == list(range(len(sources)))
    whole = [shortlist.ids(batch.sources[0][0].numpy()) is None for batch in batches]
    assert [all(index >= len(SOURCES) for index in batch.index.tolist()) for batch in batches] == whole
    plainly = decode(full, search, length_sorted_batches(sources, sentences=sentences), device=CPU)
    listed = decode(full, search, batches, device=CPU, shortlist=shortlist)
    for index in range(len(sources)):
        same = listed.hypotheses[index][0].ids == plainly.hypotheses[index][0].ids
        assert same or index < len(SOURCES)
    assert any(listed.hypotheses[index] != plainly.hypotheses[index] for index in range(len(SOURCES)))


@pytest.mark.parametrize("sources", [[[4, EOS]], [[14, 5, EOS], [14, EOS, PAD]], SOURCES[:3]])
@pytest.mark.parametrize("alignment", [1, 4, 7])
def test_the_ids_are_special_frequent_or_translations_and_filled_up_by_frequency(
    sources: list[list[int]], alignment: int
) -> None:
    known = lexicon()
    wanted = {PAD, UNK, BOS, EOS, *known.ranked[:FREQUENT].tolist()}
    for source in {id_ for ids in sources for id_ in ids if id_ >= NUM_SPECIALS}:
        wanted |= set(known.translations[source].tolist()) - {-1}
    for id_ in known.ranked.tolist():
        if len(wanted) % alignment == 0:
            break
        wanted.add(id_)
    padded = whole_batch(sources).sources[0][0].numpy()
    found = Shortlist(known, share=2.0, alignment=alignment).ids(padded)
    assert found is not None and found.tolist() == sorted(wanted)
    assert Shortlist(known, share=len(wanted) / SIZE, alignment=alignment).ids(padded) is None
    assert Shortlist(known, share=(len(wanted) + 1) / SIZE, alignment=alignment).ids(padded) is not None


@pytest.mark.parametrize("id_", [UNK, BOS, 13, SIZE + 3])
def test_an_id_without_an_entry_asks_for_the_whole_vocabulary(id_: int) -> None:
    assert Shortlist(lexicon(), share=2.0).ids(np.asarray([[4, EOS, PAD], [5, id_, EOS]])) is None
