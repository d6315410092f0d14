"""Prepares the data of a configuration: its corpus, tokenizers, vocabularies and encoded splits."""

import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s2s_lab.assemble.inference import given_of, tokenizer_node
from s2s_lab.assemble.instantiation import build
from s2s_lab.data.corpora.base import Corpus
from s2s_lab.data.encoded import SIDES
from s2s_lab.data.prepare import VocabularySettings, prepare
from s2s_lab.data.prepared import PreparedData
from s2s_lab.data.vocabulary import UNK
from s2s_lab.records.word_counts import words

log = logging.getLogger(__name__)

TOLD_SHARE = 0.01  # of the training pairs; so many that are left out are told
UNKNOWN_SHARE, SAMPLED_TOKENS = 0.1, 1_000_000  # of the first training tokens; so many unknown ones are told


def prepare_data(settings: Mapping[str, Any]) -> tuple[PreparedData, Corpus]:
    """Prepares the data that a training reads, or takes it from the cache.

    Args:
        settings: plain conf/train.yaml.

    Returns:
        The data and the corpus that it comes from.

    Raises:
        RequestError: if the corpus or a setting is wrong, or nothing is left to train on.
    """
    data = settings["data"]
    corpus = build(data["corpus"], "data.corpus")
    began = time.perf_counter()
    prepared = prepare(
        corpus=corpus,
        source_tokenizer=build(tokenizer_node(settings, "source"), "source_tokenizer"),
        target_tokenizer=build(tokenizer_node(settings, "target"), "target_tokenizer"),
        vocabulary=VocabularySettings(**data["vocabulary"]),
        max_source_length=data["max_source_length"],
        max_target_length=data["max_target_length"],
        cache=Path(settings["paths"]["cache"]),
        words=words,
        given=given_of(settings),
    )
    log.info("data ready in %.1f s: %d training pairs", time.perf_counter() - began, len(prepared.splits["train"]))
    return prepared, corpus


def remarks(settings: Mapping[str, Any], prepared: PreparedData) -> Iterator[str]:
    """Says what a user would not expect of the data: many pairs left out, many words unknown to given vocabularies.

    Args:
        settings: plain conf/train.yaml.
        prepared: its data.
    """
    training = prepared.splits["train"]
    left, total = sum(prepared.filtered.values()), sum(prepared.filtered.values()) + len(training)
    if left > TOLD_SHARE * total:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in prepared.filtered.items() if count)
        yield f"{left:,} of {total:,} training pairs are left out ({reasons})"
    places = {"init": settings.get("init"), "data.vocabulary_from": settings["data"].get("vocabulary_from")}
    given = [f"{key}={place}" for key, place in places.items() if place]
    for side in SIDES if given else ():
        ids = training.ids[side][:SAMPLED_TOKENS]
        unknown = float((ids == UNK).mean()) if len(ids) else 0.0
        if unknown > UNKNOWN_SHARE:
            yield f"{unknown:.0%} of the {side} tokens are unknown to the vocabulary of {given[0]}"


def corpus_elsewhere(configuration: Mapping[str, Any], root: str | None) -> dict[str, Any]:
    """The node of a run's corpus, read from another folder of corpora where one is given and the corpus has a root."""
    node = dict(configuration["data"]["corpus"])
    if root is not None and "root" in node:
        node["root"] = str(Path(root).resolve())
    return node
