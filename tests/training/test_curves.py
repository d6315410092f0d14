"""metrics.csv holds every logged value, whatever the order in which columns appear."""

import csv
from pathlib import Path

from s2s_lab.training.loggers.curves import CurvesLogger


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_appended_and_new_columns_fill_in(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    logger = CurvesLogger(path=path)
    logger.log_metrics({"train/loss": 2.0, "epoch": 0}, step=1)
    logger.save()
    logger.log_metrics({"train/loss": 1.0, "epoch": 0}, step=2)
    logger.save()
    logger.log_metrics({"validation/bleu": 3.5, "epoch": 1}, step=2)
    logger.finalize("success")
    found = rows(path)
    assert [row["train/loss"] for row in found] == ["2.0", "1.0", ""]
    assert [row["validation/bleu"] for row in found] == ["", "", "3.5"]
    assert [row["step"] for row in found] == ["2", "3", "3"]


def test_values_of_one_step_logged_before_a_flush_share_a_row(tmp_path: Path) -> None:
    logger = CurvesLogger(path=tmp_path / "metrics.csv")
    logger.log_metrics({"a": 1.0}, step=5)
    logger.log_metrics({"b": 2.0}, step=5)
    logger.save()
    assert [(row["a"], row["b"]) for row in rows(tmp_path / "metrics.csv")] == [("1.0", "2.0")]
