"""The record of one evaluation: texts, n-best lists, scores, statistics of each sentence and attention weights."""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import parse_json, plain, read_text, sync_folder, write_json
from s2s_lab.records.pickle_free import read_arrays
from s2s_lab.records.record import read_record
from s2s_lab.records.shape import Each, Exactly, Maybe, Shape, check_shape

SCHEMA = 1
SCORE = Exactly(name=str, value=(int, float, type(None)), signature=str, higher_is_better=bool)
FACTS = Exactly(
    split=str,
    strategy=str,
    sentences=int,
    scores=[SCORE],
    others=Maybe(
        signature=str,
        precision=str,
        data_fingerprint=str,
        given_outputs=bool,
        warnings=[str],
        **dict.fromkeys(("seconds", "sentences_per_second", "tokens_per_second"), (int, float)),
    ),
)
SEGMENT = Exactly(source_length=int, reference_length=int, statistics=Each([(int, float, type(None))]))
NBEST = Exactly(hypotheses=[Exactly(text=str)])


class Alignment(NamedTuple):
    """Attention of one hypothesis.

    Attributes:
        weights: (target_len, source_len) float32; row t is what target token t attended to.
        source_tokens: The source tokens, end of sentence included where the model saw it.
        target_tokens: The tokens of the best hypothesis, end of sentence included when it was produced.
    """

    weights: np.ndarray
    source_tokens: Sequence[str]
    target_tokens: Sequence[str]


def write_evaluation(
    folder: Path,
    *,
    facts: Mapping[str, Any],
    sources: Sequence[str],
    references: Sequence[Sequence[str]],
    hypotheses: Sequence[str],
    nbest: Iterable[Sequence[Mapping[str, Any]]],
    segments: Iterable[Mapping[str, Any]],
    attention: Mapping[int, Alignment] | None = None,
    beams: Mapping[str, Any] | None = None,
) -> Path:
    """Write an evaluation so that its folder appears whole or not at all; an older one of the same name is replaced.

    A line break inside a text becomes a space in the .txt files (nbest.jsonl keeps it), a tab inside a reference too.

    Args:
        folder: Where it goes, from `RunFolder.evaluation`.
        facts: What scores.json holds: split, strategy (name), signature (of the strategy), configuration,
            data_fingerprint, given_outputs (whether the references were handed in as outputs), precision, shortlist
            (what decides it, or null), device, seconds (of the median pass), encoding_seconds
            and decoding_seconds (their sum), passes (seconds of each), sentences, sentences_per_second,
            tokens_per_second, warnings (list of texts), and
            scores: a list of name, value, signature, higher_is_better, class (dotted path of the metric) and options
            (its constructor's).
        sources: Raw source texts.
        references: For each sentence its accepted references, raw.
        hypotheses: The best hypothesis of each sentence, detokenized.
        nbest: For each sentence a list of text, tokens, log_prob, score, finished; best first.
        segments: For each sentence index, source_length, reference_length, hypothesis_length (in tokens), log_prob,
            best_log_prob (of the most probable whole output of the n-best list, or null), score, and statistics: metric
            name -> numbers.
        attention: Sentence index -> its alignment, for as many sentences as are kept.
        beams: What beams.json holds: the search trees of the first sentences; None where the strategy tells none.

    Returns:
        The folder.

    Raises:
        RequestError: If the numbers of sentences differ.
    """
    count = len(hypotheses)
    for name, texts in (("sources", sources), ("references", references)):
        if len(texts) != count:
            raise RequestError(f"{folder}: {len(texts)} {name} for {count} hypotheses")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        os.chmod(temporary, 0o755)
        _write_lines(temporary / "sources.txt", (_one_line(text) for text in sources))
        _write_lines(temporary / "references.txt", ("\t".join(_one_cell(t) for t in texts) for texts in references))
        _write_lines(temporary / "hypotheses.txt", (_one_line(text) for text in hypotheses))
        kept = _write_lines(
            temporary / "nbest.jsonl",
            (_json({"index": index, "hypotheses": list(found)}) for index, found in enumerate(nbest)),
        )
        measured = _write_lines(temporary / "segments.jsonl", (_json(segment) for segment in segments))
        for name, number in (("n-best lists", kept), ("segments", measured)):
            if number != count:
                raise RequestError(f"{folder}: {number} {name} for {count} hypotheses")
        if attention:
            _write_attention(temporary / "attention.npz", attention)
        if beams:
            write_json(temporary / "beams.json", beams)
        write_json(temporary / "scores.json", {**facts, "schema": SCHEMA, "sentences": count})
        _put_in_place(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


class Evaluation:
    """A recorded evaluation; scores.json is read at once, everything else when asked for.

    Attributes:
        folder: Where it lies.
        facts: What scores.json holds.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder = folder
        self.facts = facts
        self._statistics: dict[str, np.ndarray] = {}

    def sources(self) -> list[str]:
        """Read the raw source texts."""
        return self._lines("sources.txt")

    def references(self) -> list[tuple[str, ...]]:
        """Read the accepted references of each sentence."""
        return [tuple(line.split("\t")) for line in self._lines("references.txt")]

    def hypotheses(self) -> list[str]:
        """Read the best hypothesis of each sentence."""
        return self._lines("hypotheses.txt")

    def has_outputs(self, hypotheses: Sequence[str]) -> bool:
        """Tell whether these, as they are written, are the best hypotheses of its sentences."""
        return self.hypotheses() == [_one_line(text) for text in hypotheses]

    def segments(self) -> list[dict[str, Any]]:
        """Read lengths, log-probabilities and statistics of each sentence."""
        return list(self._objects("segments.jsonl", SEGMENT))

    def statistics(self, score: str) -> np.ndarray:
        """Read one score's statistics of all sentences; those of all scores are kept, for reading takes long.

        Returns:
            (sentences, k) float64, not to be written to.

        Raises:
            RequestError: If a sentence has none, or another number of them than the first.
        """
        if score not in self._statistics:
            segments = self.segments()
            self._statistics[score] = self._stacked(score, segments)
            for other in segments[0]["statistics"] if segments else ():
                with contextlib.suppress(RequestError):  # told to who asks for it
                    self._statistics[other] = self._stacked(other, segments)
        return self._statistics[score]

    def _stacked(self, score: str, segments: Sequence[Mapping[str, Any]]) -> np.ndarray:
        rows: list[list[float]] = []
        for number, segment in enumerate(segments, start=1):
            place = f"{self.folder / 'segments.jsonl'}, line {number}"
            if score not in segment["statistics"]:
                raise RequestError(f"{place}: no statistics of {score}")
            rows.append(segment["statistics"][score])
            if len(rows[-1]) != len(rows[0]):
                raise RequestError(f"{place}: {len(rows[-1])} statistics of {score}, the first line has {len(rows[0])}")
        stacked = np.array(rows, dtype=np.float64)
        stacked.flags.writeable = False
        return stacked

    def nbest(self) -> Iterator[list[dict[str, Any]]]:
        """Read the n-best lists one sentence after the other."""
        for item in self._objects("nbest.jsonl", NBEST):
            yield item["hypotheses"]

    def attention(self) -> dict[int, Alignment]:
        """Read the alignments that were kept, by sentence index; empty when the model has no attention."""
        path = self.folder / "attention.npz"
        if not path.is_file():
            return {}
        arrays = read_arrays(path)
        indices = sorted(int(match[1]) for match in map(re.compile(r"weights_(\d{1,9})").fullmatch, arrays) if match)
        return {index: _alignment(path, arrays, index) for index in indices}

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        if not path.exists():
            raise RequestError(f"{path}: no such file; the evaluation is incomplete")
        lines = read_text(path).split("\n")
        lines.pop()  # what follows the last line end
        if len(lines) != self.facts["sentences"]:
            raise RequestError(f"{path}: {len(lines)} lines, expected {self.facts['sentences']} (scores.json)")
        return lines

    def _objects(self, name: str, shape: Shape) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(self._lines(name), start=1):
            place = f"{self.folder / name}, line {number}"
            found = parse_json(line, place)
            check_shape(found, shape, place)
            yield found


def read_evaluation(folder: Path) -> Evaluation:
    """Open a recorded evaluation.

    Raises:
        RequestError: If scores.json is missing, unreadable or of a newer schema.
    """
    return Evaluation(folder, read_record(folder / "scores.json", schema=SCHEMA, shape=FACTS))


def _alignment(path: Path, arrays: Mapping[str, np.ndarray], index: int) -> Alignment:
    weights = arrays[f"weights_{index}"]
    tokens = [arrays.get(f"{side}_tokens_{index}", np.empty(0, np.str_)) for side in ("source", "target")]
    fits = weights.shape == (tokens[1].size, tokens[0].size) and weights.dtype.kind == "f"
    if not fits or any(names.ndim != 1 or names.dtype.kind != "U" for names in tokens if names.size):
        raise RequestError(
            f"{path}: weights_{index} is {weights.shape} {weights.dtype}, which is not that of its tokens"
        )
    if not np.isfinite(weights).all():
        raise RequestError(f"{path}: weights_{index} holds a number that is not finite")
    return Alignment(weights, [str(token) for token in tokens[0]], [str(token) for token in tokens[1]])


def _put_in_place(temporary: Path, folder: Path) -> None:
    if folder.exists():
        older = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".old", dir=folder.parent))
        os.replace(folder, older / folder.name)
        os.replace(temporary, folder)
        shutil.rmtree(older, ignore_errors=True)
    else:
        os.replace(temporary, folder)
    sync_folder(folder.parent)


def _write_lines(path: Path, lines: Iterable[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for line in lines:
            file.write(line)
            file.write("\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def _write_attention(path: Path, attention: Mapping[int, Alignment]) -> None:
    arrays: dict[str, np.ndarray] = {}
    for index, alignment in attention.items():
        weights = np.asarray(alignment.weights, dtype=np.float32)
        shape = (len(alignment.target_tokens), len(alignment.source_tokens))
        if weights.shape != shape:
            raise ValueError(f"attention of sentence {index} is {weights.shape}, its tokens are {shape}")
        arrays[f"weights_{index}"] = weights
        arrays[f"source_tokens_{index}"] = np.asarray(list(alignment.source_tokens), dtype=np.str_)
        arrays[f"target_tokens_{index}"] = np.asarray(list(alignment.target_tokens), dtype=np.str_)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False)


def _one_line(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


def _one_cell(text: str) -> str:
    return _one_line(text).replace("\t", " ")
