"""Learning curves read as they grow are those read at once."""

import math
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.records.curves import curve, read_curves
from s2s_lab.reports.live import growing, watch
from s2s_lab.reports.live.growing import GrowingCurves, GrowingLines
from tests.reports.live_runs import appended, start_run


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REST", 0.0)


def test_curves_read_as_they_grow_are_those_read_at_once(tmp_path: Path) -> None:
    """Cut at every byte, rows of another file in between: always what a reader of whole lines would see."""
    run = start_run(tmp_path, "gru", 1, steps=300)
    content, path = run.metrics_csv.read_bytes(), tmp_path / "growing.csv"
    curves = GrowingCurves(path, tmp_path)
    assert not curves.read() and curves.columns == {}
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        curves.read()
        whole = tmp_path / "whole.csv"
        whole.write_bytes(content[: content.rfind(b"\n", 0, end) + 1])
        expected = read_curves(whole)
        assert list(curves.columns) == list(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(np.asarray(curves.columns[name]), values)


def test_a_file_that_only_grew_is_read_from_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"line {number}\n" for number in range(2000)))
    lines = GrowingLines(path, tmp_path)
    assert len(lines.read()[1]) == 2000
    opened = []
    whole = growing.open_inside

    class Counting:
        def __init__(self, file) -> None:
            self.file, self.count = file, 0
            opened.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            self.file.close()

        def __getattr__(self, name: str):
            return getattr(self.file, name)

        def read(self, *words):
            found = self.file.read(*words)
            self.count += len(found)
            return found

    monkeypatch.setattr(growing, "open_inside", lambda *words: Counting(whole(*words)))
    appended(path, "one more\nand half of ano")
    assert lines.read() == (False, ["one more"])
    appended(path, "ther\n")
    assert lines.read() == (False, ["and half of another"])
    assert [item.count for item in opened] == [len("one more\nand half of ano"), len("and half of another\n")]


def test_a_file_written_anew_is_read_anew_even_where_it_is_longer(tmp_path: Path) -> None:
    run = start_run(tmp_path, "gru", 1, steps=400)
    curves = GrowingCurves(run.metrics_csv, tmp_path)
    curves.read()
    rows = run.metrics_csv.read_text().splitlines()
    run.metrics_csv.write_text("\n".join([rows[0] + ",new", *(row + ",7" for row in rows[1:]), ""]))
    assert curves.read()
    assert curves.last("new") == 7 and len(curves.columns["step"]) == len(rows) - 1
    run.metrics_csv.write_text(
        "\n".join([*rows[:3], ""])
    )  # a resumed training drops what it had written after its state
    assert curves.read()
    assert curves.last("step") == 100
    run.metrics_csv.unlink()
    assert curves.read() and curves.columns == {} and curves.last("step") is None


def test_points_are_those_of_the_curve_and_end_at_its_end(tmp_path: Path) -> None:
    run = start_run(tmp_path, "gru", 1, steps=5000)
    curves = GrowingCurves(run.metrics_csv, tmp_path)
    curves.read()
    steps, values = curve(read_curves(run.metrics_csv), "train/loss")
    assert curves.points("train/loss", "step", most=1000) == (steps.tolist(), values.tolist())
    for most in (2, 3, 10, 99):
        across, thinned = curves.points("train/loss", "step", most=most)
        assert 1 < len(across) <= most and (across[0], across[-1]) == (steps[0], steps[-1])
        assert set(zip(across, thinned, strict=True)) <= set(zip(steps.tolist(), values.tolist(), strict=True))


def test_cells_that_are_no_numbers_do_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(
        b'step,"a,b",c\n50,1,x\n\n,,\n100,"2",nan\n150\n200,inf,3,4,5\n\xff\xfe,\x00,1\n"unclosed\n250,5,6\n'
    )
    curves = GrowingCurves(path, tmp_path)
    curves.read()
    assert list(curves.columns) == ["step", "a,b", "c"]
    assert (curves.last("step"), curves.last("a,b"), curves.last("c")) == (250, 5, 6)
    assert curves.points("a,b", "step", most=10) == ([50, 100, 250], [1, 2, 5])
    assert math.isnan(curves.columns["c"][0])
