"""Learning curves are read as numbers, with gaps where nothing was logged."""

from pathlib import Path

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.curves import curve, read_curves


def test_empty_cells_are_gaps(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train/loss,validation/loss\n0,10,2.5,\n0,20,,3.5\n1,30,nan,1e-2\n1,40\n")
    columns = read_curves(path)
    np.testing.assert_array_equal(columns["validation/loss"], [np.nan, 3.5, 0.01, np.nan])
    steps, losses = curve(columns, "train/loss")
    assert (steps.tolist(), losses.tolist()) == ([10.0], [2.5])
    steps, losses = curve(columns, "validation/loss")
    assert (steps.tolist(), losses.tolist()) == ([20.0, 30.0], [3.5, 0.01])


def test_a_curve_that_is_not_there_has_no_points(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "metrics.csv") == {}
    (tmp_path / "metrics.csv").write_text("")
    assert read_curves(tmp_path / "metrics.csv") == {}
    assert [part.size for part in curve({}, "train/loss")] == [0, 0]


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,train/loss\n1,2.0\n2,oops\n")
    with pytest.raises(RequestError, match=r"metrics\.csv, line 3: train/loss is 'oops'"):
        read_curves(path)
