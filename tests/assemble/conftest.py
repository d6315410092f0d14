"""What tests of trainings share."""

from collections.abc import Callable

import pytest

from s2s_lab.records.run_folder import RunFolder
from tests.assemble.stopped_runs import VARIANTS
from tests.assemble.test_experiment import run


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunFolder]:
    """Runs that were never stopped, each made once."""
    made: dict[str, RunFolder] = {}

    def of(variant: str) -> RunFolder:
        if variant not in made:
            made[variant] = run(tmp_path_factory.mktemp("whole"), *VARIANTS[variant])
        return made[variant]

    return of
