"""A whole comparison on the disk, written once and only read."""

from pathlib import Path

import pytest

from s2s_lab.reports.comparison import compare
from s2s_lab.reports.entries import Comparison
from s2s_lab.reports.runs import collect
from tests.reports.synthetic import write_comparison


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_comparison(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def comparison(runs: Path) -> Comparison:
    return compare(collect([runs]), samples=100)
