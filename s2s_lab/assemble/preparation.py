"""Prepares the data of a configuration: its corpus, tokenizers, vocabularies and encoded splits."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2s_lab.assemble.inference import given_of, tokenizer_node
from s2s_lab.assemble.instantiation import build
from s2s_lab.data.corpora.base import Corpus
from s2s_lab.data.prepare import PreparedData, VocabularySettings, prepare
from s2s_lab.records.word_counts import words

log = logging.getLogger(__name__)


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


def corpus_elsewhere(configuration: Mapping[str, Any], root: str | None) -> dict[str, Any]:
    """The node of a run's corpus, read from another folder of corpora where one is given and the corpus has a root."""
    node = dict(configuration["data"]["corpus"])
    if root is not None and "root" in node:
        node["root"] = str(Path(root).resolve())
    return node
