"""An evaluation appears whole, is read back as written, and is refused when it does not fit together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.durable import read_json, write_json
from s2s_lab.records.evaluation import Alignment, read_evaluation, write_evaluation
from s2s_lab.records.run_folder import RunFolder

SOURCES = ["eins\u2028zwei", "", "drei\nvier"]
REFERENCES = [("one two",), ("", "nothing"), ("three\tfour", "3 4")]


def written(folder: Path, **changes: Any) -> Path:
    parts: dict[str, Any] = {
        "facts": {
            "split": "test",
            "strategy": "beam",
            "scores": [{"name": "bleu", "value": 1.0, "signature": "BLEU|nrefs:1", "higher_is_better": True}],
        },
        "sources": SOURCES,
        "references": REFERENCES,
        "hypotheses": ["o\rne", "", "three\r\nfour"],
        "nbest": [[{"text": "one", "score": -1.0}], [], [{"text": "three\nfour", "score": float("-inf")}]],
        "segments": [
            {"index": index, "source_length": 1, "reference_length": 1, "statistics": {"bleu": np.array([index, 1.0])}}
            for index in range(3)
        ],
        "attention": {2: Alignment(np.eye(2, 3, dtype=np.float64), ["a", "<b>", "</s>"], ["c", "</s>"])},
    }
    return write_evaluation(folder, **{**parts, **changes})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    record = read_evaluation(written(tmp_path / "beam-abc"))
    assert record.facts["sentences"] == 3
    assert record.sources() == ["eins\u2028zwei", "", "drei vier"]
    assert record.references() == [("one two",), ("", "nothing"), ("three four", "3 4")]
    assert record.hypotheses() == ["o ne", "", "three four"]
    assert len((record.folder / "hypotheses.txt").read_text().splitlines()) == 3
    assert [segment["statistics"]["bleu"] for segment in record.segments()] == [[0, 1], [1, 1], [2, 1]]
    assert list(record.nbest())[2] == [{"text": "three\nfour", "score": None}]
    alignment = record.attention()[2]
    assert alignment.weights.dtype == np.float32
    np.testing.assert_array_equal(alignment.weights, np.eye(2, 3))
    assert (alignment.source_tokens, alignment.target_tokens) == (["a", "<b>", "</s>"], ["c", "</s>"])


def test_without_attention_there_is_none(tmp_path: Path) -> None:
    assert read_evaluation(written(tmp_path / "e", attention=None)).attention() == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": SOURCES[:2]}, "2 sources for 3 hypotheses"),
        ({"references": REFERENCES[:1]}, "1 references for 3 hypotheses"),
        ({"nbest": [[]]}, "1 n-best lists for 3 hypotheses"),
        ({"segments": []}, "0 segments for 3 hypotheses"),
    ],
)
def test_unequal_counts_are_refused_and_leave_nothing(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        written(tmp_path / "e", **changes)
    assert list(tmp_path.iterdir()) == []


def test_attention_must_fit_its_tokens(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"attention of sentence 0 is \(2, 2\), its tokens are \(1, 2\)"):
        written(tmp_path / "e", attention={0: Alignment(np.zeros((2, 2)), ["a", "b"], ["c"])})


def test_a_failed_rewrite_keeps_the_older_evaluation(tmp_path: Path) -> None:
    folder = written(tmp_path / "e")
    with pytest.raises(RequestError):
        written(folder, segments=[])
    assert len(read_evaluation(folder).segments()) == 3
    assert list(tmp_path.iterdir()) == [folder]


def test_a_rewrite_replaces_the_older_evaluation(tmp_path: Path) -> None:
    folder = written(tmp_path / "e")
    written(folder, attention=None)
    assert read_evaluation(folder).attention() == {}
    assert list(tmp_path.iterdir()) == [folder]


def test_a_run_lists_whole_evaluations_only(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "run")
    folder = written(run.evaluation("test", "beam", "abc"))
    (run.evaluations / "test" / "greedy-def").mkdir()
    (run.evaluations / "test" / ".beam-abc.x.part").mkdir()
    write_json(run.evaluations / "test" / ".beam-abc.x.part" / "scores.json", {})
    assert run.evaluation_folders() == [folder]


def test_a_damaged_evaluation_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "e")
    (folder / "sources.txt").write_text("one line\n")
    with pytest.raises(RequestError, match=r"sources\.txt: 1 lines, expected 3"):
        read_evaluation(folder).sources()
    (folder / "hypotheses.txt").write_bytes(b"\xff\n\n\n")
    with pytest.raises(RequestError, match=r"hypotheses\.txt: not valid UTF-8 at byte 0"):
        read_evaluation(folder).hypotheses()
    whole = (folder / "segments.jsonl").read_text().splitlines(keepends=True)[0]
    (folder / "segments.jsonl").write_text(whole + "{\n" + whole)
    with pytest.raises(RequestError, match=r"segments\.jsonl, line 2: not valid JSON"):
        read_evaluation(folder).segments()
    (folder / "references.txt").unlink()
    with pytest.raises(RequestError, match=r"references\.txt: no such file"):
        read_evaluation(folder).references()
    (folder / "attention.npz").write_bytes(b"no archive")
    with pytest.raises(RequestError, match=r"attention\.npz: not a readable file of arrays"):
        read_evaluation(folder).attention()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "e")
    write_json(folder / "scores.json", {**read_json(folder / "scores.json"), "schema": 99})
    with pytest.raises(RequestError, match="schema 99 is newer"):
        read_evaluation(folder)
