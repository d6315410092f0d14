"""Records of anybody are read as plain values or refused in one line, before they take memory."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.curves import read_curves
from s2s_lab.records.durable import read_json
from s2s_lab.records.pickle_free import read_arrays
from s2s_lab.records.plain_yaml import read_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "beyond float64"),
        ('{"a": ' + "9" * 5000 + "}", "more than 64 bits"),
        ('{"a": 9223372036854775808}', "more than 64 bits"),
        ("{", "line 1: not valid JSON"),
    ],
)
def test_json_is_strict(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(RequestError, match=expected):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    "text",
    ["a: !!bool x", "a: !!int x", "a: 2026-13-45", "a: " + "9" * 5000, "? [a]\n: 1", "a: !x b"],
)
def test_what_yaml_cannot_make_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(RequestError, match="not valid YAML"):
        read_yaml(tmp_path / "x.yaml")


@pytest.mark.parametrize("text", ["1: 2", "a: 2026-11-21", "a: !!binary aGVsbG8=", "a: !!set {b}", "null: 1"])
def test_what_is_not_plain_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(RequestError, match=r"is no text|text, a number, true or false is expected"):
        read_yaml(tmp_path / "x.yaml")


def test_arrays_announce_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.asarray(["x", "<y>"]))
    found = read_arrays(path)
    assert found["a"].tolist() == [0, 1, 2] and found["b"].tolist() == ["x", "<y>"]
    lie = io.BytesIO()
    np.lib.format.write_array_header_1_0(lie, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", lie.getvalue())
    with pytest.raises(RequestError, match="which is not what it holds"):
        read_arrays(path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.asarray([object()], dtype=object))
    with pytest.raises(RequestError, match="not a readable file of arrays"):
        read_arrays(path)


def test_archives_that_unfold_endlessly_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2s_lab.records.pickle_free.MOST_BYTES", 10_000)
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(10_000))
    with pytest.raises(RequestError, match="bytes when unpacked"):
        read_arrays(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [b"step,x\n1,\xff\n", b'step\n"' + b"x" * 200_000, b"step,x\n1,one\n"])
def test_tables_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(RequestError, match=r"metrics\.csv"):
        read_curves(tmp_path / "metrics.csv")
