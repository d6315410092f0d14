"""A lexicon comes back from its file as it was, and damage is told in one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from s2s_lab.data.lexicon import Lexicon, LexiconSettings
from s2s_lab.data.vocabulary import Vocabulary
from s2s_lab.faults import RequestError
from s2s_lab.inference.lexicon_file import LEXICON, load_lexicon, save_lexicon

SOURCE, TARGET = Vocabulary(["a", "b"]), Vocabulary(["x", "y", "z"])
MADE = Lexicon(
    np.asarray([[-1, -1]] * 4 + [[6, 4], [5, -1]], np.int32),
    np.asarray([5, 4, 6], np.int32),
    LexiconSettings(pairs=7, iterations=3, translations=2, frequent=1),
)
Tables = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_lexicon(MADE, tmp_path, source=SOURCE, target=TARGET)
    return tmp_path


def test_a_lexicon_is_read_as_it_was_written(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == [LEXICON]
    found = load_lexicon(folder, source=SOURCE, target=TARGET)
    assert np.array_equal(found.translations, MADE.translations) and np.array_equal(found.ranked, MADE.ranked)
    assert found.settings == MADE.settings and found.translations.dtype == np.int32


def refused(folder: Path, expected: str, target: Vocabulary = TARGET) -> None:
    with pytest.raises(RequestError, match=expected) as caught:
        load_lexicon(folder, source=SOURCE, target=target)
    assert str(folder / LEXICON) in str(caught.value) and "\n" not in str(caught.value)
    assert "s2s-evaluate runs=[RUN] shortlist=true makes it" in str(caught.value)


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    refused(tmp_path, "no such file")


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_file_cut_short_is_refused(folder: Path, kept: int) -> None:
    content = (folder / LEXICON).read_bytes()
    (folder / LEXICON).write_bytes(content[:kept])
    refused(folder, "not a readable lexicon")


@pytest.mark.parametrize("tokens", [["x", "y", "z", "w"], ["x", "y", "w"]])
def test_other_vocabularies_are_refused(folder: Path, tokens: list[str]) -> None:
    refused(folder, r"made for other vocabularies, of 6 and 7 tokens", Vocabulary(tokens))


def changed(folder: Path, change: Callable[[Tables, dict[str, str]], object]) -> None:
    with safe_open(folder / LEXICON, "numpy") as file:
        metadata = dict(file.metadata())
    tables = load_file(folder / LEXICON)
    change(tables, metadata)
    save_file(tables, folder / LEXICON, metadata)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda tables, _: tables.update(translations=MADE.translations[:5]), r"translations is int32 \(5, 2\)"),
        (lambda tables, _: tables.update(translations=MADE.translations[:, :1].copy()), r"int32 \(6, 2\) is expected"),
        (lambda tables, _: tables.update(ranked=MADE.ranked.astype(np.int64)), "ranked is int64"),
        (lambda tables, _: tables.update(ranked=np.asarray([5, 5, 6], np.int32)), "every ordinary target id once"),
        (lambda tables, _: tables.update(translations=MADE.translations + 1), "ids that the target vocabulary"),
        (lambda tables, _: tables.update(translations=MADE.translations - 3), "ids that the target vocabulary"),
        (lambda tables, _: tables.pop("ranked"), "not a readable lexicon"),
        (lambda _, metadata: metadata.update(settings="{}x"), "not a readable lexicon"),
        (lambda _, metadata: metadata.update(settings='{"pears": 3}'), "not a readable lexicon"),
        (lambda _, metadata: metadata.update(settings='{"pairs": "3"}'), "another format"),
        (lambda _, metadata: metadata.update(format="2"), "another format"),
        (lambda _, metadata: metadata.pop("settings"), "not a readable lexicon"),
    ],
)
def test_tables_and_settings_that_do_not_fit_are_refused(
    folder: Path, change: Callable[[Tables, dict[str, str]], object], expected: str
) -> None:
    changed(folder, change)
    refused(folder, expected)
