"""The file of a model folder that holds its lexicon: lexicon.safetensors."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from s2s_lab.data.lexicon import Lexicon, LexiconSettings
from s2s_lab.data.vocabulary import NUM_SPECIALS, Vocabulary
from s2s_lab.faults import RequestError
from s2s_lab.records.durable import write_bytes

LEXICON = "lexicon.safetensors"
FORMAT = "1"
TABLES = ("translations", "ranked")


def save_lexicon(lexicon: Lexicon, folder: Path, *, source: Vocabulary, target: Vocabulary) -> None:
    """Writes lexicon.safetensors, durably: int32 tables, and as metadata the settings and what it was made for.

    Args:
        lexicon: to write.
        folder: of the model.
        source: the source vocabulary.
        target: the target vocabulary.
    """
    metadata = {
        "format": FORMAT,
        "settings": json.dumps(dataclasses.asdict(lexicon.settings)),
        "source_size": str(len(source)),
        "target_size": str(len(target)),
        "vocabularies": _fingerprint(source, target),
    }
    tables = {name: np.ascontiguousarray(getattr(lexicon, name), np.int32) for name in TABLES}
    write_bytes(folder / LEXICON, save(tables, metadata))


def load_lexicon(folder: Path, *, source: Vocabulary, target: Vocabulary) -> Lexicon:
    """Reads what `save_lexicon` wrote.

    Args:
        folder: of the model.
        source: the source vocabulary.
        target: the target vocabulary.

    Raises:
        RequestError: if the file is missing, damaged, or made for other vocabularies.
    """
    path = folder / LEXICON
    remedy = "s2s-evaluate runs=[RUN] shortlist=true makes it"
    if not path.is_file():
        raise RequestError(f"{path}: no such file; {remedy}")
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            tables = {name: file.get_tensor(name) for name in TABLES}
        found = LexiconSettings(**json.loads(metadata["settings"]))
        known = metadata["format"] == FORMAT and all(type(value) is int for value in dataclasses.astuple(found))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise RequestError(f"{path}: not a readable lexicon ({error}); remove it, and {remedy} anew") from error
    if not known:
        raise RequestError(f"{path}: a lexicon of another format; remove it, and {remedy} anew")
    if metadata.get("vocabularies") != _fingerprint(source, target):
        sizes = f"{metadata.get('source_size')} and {metadata.get('target_size')}"
        raise RequestError(
            f"{path}: made for other vocabularies, of {sizes} tokens, than the model's of {len(source)} and "
            f"{len(target)}; remove it, and {remedy} anew"
        )
    lexicon = Lexicon(tables["translations"], tables["ranked"], found)
    problem = _problem(lexicon, len(source), len(target))
    if problem is not None:
        raise RequestError(f"{path}: {problem}; remove it, and {remedy} anew")
    return lexicon


def _problem(lexicon: Lexicon, source_size: int, target_size: int) -> str | None:
    """What is wrong with the tables, or None."""
    shapes = {
        "translations": (source_size, lexicon.settings.translations),
        "ranked": (target_size - NUM_SPECIALS,),
    }
    for name, shape in shapes.items():
        table = getattr(lexicon, name)
        if table.shape != shape or table.dtype != np.int32:
            return f"{name} is {table.dtype} {table.shape}, int32 {shape} is expected"
    if not np.array_equal(np.sort(lexicon.ranked), np.arange(NUM_SPECIALS, target_size)):
        return "ranked does not hold every ordinary target id once"
    ordinary = (lexicon.translations >= NUM_SPECIALS) & (lexicon.translations < target_size)
    if not (ordinary | (lexicon.translations == -1)).all():
        return "translations holds ids that the target vocabulary does not have"
    return None


def _fingerprint(source: Vocabulary, target: Vocabulary) -> str:
    return hashlib.sha256(json.dumps([source.tokens, target.tokens]).encode()).hexdigest()
