"""The texts of a split, as an evaluation decodes them and compares with them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from s2s_lab.assemble.instantiation import build, check_kind
from s2s_lab.assemble.preparation import corpus_elsewhere
from s2s_lab.data.corpora.base import Corpus
from s2s_lab.records.recorded_evaluation import OTHER_CORPUS
from s2s_lab.records.run_folder import RunFolder


class SplitTexts(NamedTuple):
    """What is decoded and what it is compared with.

    Attributes:
        split: canonical name of the split.
        sources: raw source lines.
        references: accepted references of each, raw.
        warnings: what a reader of the scores should know of them.
        fingerprint: hash of sources and references.
    """

    split: str
    sources: list[str]
    references: list[tuple[str, ...]]
    warnings: list[str]
    fingerprint: str


def texts_of(run: RunFolder, settings: Mapping[str, Any]) -> SplitTexts:
    """Reads the texts of a split from the run's own corpus, or from `paths.data`.

    Args:
        run: a finished run.
        settings: plain conf/evaluate.yaml.

    Raises:
        RequestError: if the corpus cannot be read or has no such split.
    """
    configuration = run.configuration()
    data, job = section(configuration, "data"), section(configuration, "job")
    check_kind(data.get("corpus"), Corpus, "data.corpus")
    corpus = build(corpus_elsewhere(configuration, settings["paths"].get("data")), "data.corpus")
    split = corpus.canonical(settings["split"])
    trained_on = job.get("corpus_fingerprint")
    changed = trained_on is not None and trained_on != corpus.fingerprint()
    warnings = [OTHER_CORPUS] if changed else []
    sources = [source for source, _ in corpus.pairs(split)]
    references = [tuple(accepted) for accepted in corpus.references(split)]
    fingerprint = hashlib.sha256(json.dumps([sources, references]).encode()).hexdigest()
    return SplitTexts(split, sources, references, warnings, fingerprint)


def section(configuration: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A section of a run's configuration; empty where it has none."""
    found = configuration.get(key)
    return found if isinstance(found, Mapping) else {}
